/*
 * tests/soak/subject.h - a server under test, started and looked at from
 * outside; see subject.c.
 */
#ifndef SOAK_SUBJECT_H
#define SOAK_SUBJECT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>

#include "wire/server.h"

/* As many descriptors as allowed, for us and, since it inherits that, the server; how many. */
unsigned long subject_raise_limit(void);

/* Starts `command`, words between blanks, and learns its first address. What goes wrong is said. */
bool subject_start(struct server *s, const char *command, struct sockaddr_in *address);

unsigned subject_descriptors(pid_t pid);
long subject_memory(pid_t pid); /* resident, in KB */
bool subject_has_sanitizer(pid_t pid);
bool subject_log_is_clean(const struct server *s); /* no sanitizer has anything to say */

#endif
