/*
 * daemon/hash_password.h - sockjsd --hash-password: what stands in stomp.users in place of a
 * password.
 */
#ifndef DAEMON_HASH_PASSWORD_H
#define DAEMON_HASH_PASSWORD_H

#include "daemon/cmdline.h"

/* Reads a line from standard input and prints its hash, or a complaint on standard error. From a
 * terminal it is read twice, and nothing of it is shown. */
enum exit_code hash_password(void);

#endif
