/*
 * session/session_private.h - between session.c and session_table.c.
 */
#ifndef SESSION_PRIVATE_H
#define SESSION_PRIVATE_H

#include "session/session_table.h"

/* What other reactors may see of a session. */
void session_entry_publish(struct session_entry *e, bool open, bool attached, bool paused);
/* Takes it out of its table and frees it; NULL is fine. */
void session_entry_remove(struct session_entry *e);

#endif
