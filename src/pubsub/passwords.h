/*
 * pubsub/passwords.h - logins and passcodes against a table of salted hashes.
 *
 * Hashing takes some 60 ms, for that is its purpose: one worker thread does it, the one thread in
 * the process that is not a reactor. Its queue is bounded; who asks for the same login and passcode
 * as somebody who waits already waits for the same answer, and what was verified once is known for
 * a while (by a keyed digest, not by the passcode), so that a crowd that comes back after a restart
 * costs one hash for each user.
 */
#ifndef PUBSUB_PASSWORDS_H
#define PUBSUB_PASSWORDS_H

#include "pubsub/identity.h"
#include "stomp/stomp_errors.h"

struct passwords;

/* From the value "users" of the configuration: an array of {"login", "password" (a PHC string:
 * $scrypt$... or $pbkdf2-sha256$...), "roles"}, or the name of a file that has it, relative to
 * `directory`. 0, or -errno with a sentence. No thread is started. */
int passwords_new(
    struct passwords **out, const json_t *config, const char *directory, char *why, size_t size);
/* Ends the worker; nobody is answered any more. */
void passwords_free(struct passwords *p);

/* What becomes of a question, in the worker's thread; `who` is NULL if the passcode is wrong (the
 * receiver's reference otherwise). Called exactly once for each question that waits, also when it
 * was given up by passwords_free() (then with STOMP_E_INTERNAL). */
typedef void (*passwords_fn)(void *arg, enum stomp_error verdict, struct identity *who);

/* Starts the worker when it is first needed (a thread must not be forked over). STOMP_OK: known
 * already, *out is the caller's; STOMP_E_UNAUTHENTICATED: as surely wrong; STOMP_E_BUSY: the queue
 * is full, come later; STOMP_E_INTERNAL; -1: fn will be called. Any thread. An unknown login takes
 * as long as a wrong passcode. */
int passwords_check(struct passwords *p, struct bytes login, struct bytes passcode,
    struct identity **out, passwords_fn fn, void *arg);

/* A PHC string for a passcode, with a fresh salt; for `sockjsd --hash-password`. 0 or -errno. */
int passwords_hash(const char *passcode, char *out, size_t size);

#endif
