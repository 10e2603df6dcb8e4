/*
 * identity/passwords.h - logins and passcodes against a table of salted hashes.
 *
 * Hashing takes some 60 ms, for that is its purpose: one worker thread does it, the one thread in
 * the process that is not a reactor. Its queue is bounded; who asks for the same login and passcode
 * as somebody who waits already waits for the same answer, and what was verified once is known for
 * a while (by a keyed digest, not by the passcode), so that a crowd that comes back after a restart
 * costs one hash for each user.
 */
#ifndef IDENTITY_PASSWORDS_H
#define IDENTITY_PASSWORDS_H

#include "identity/identity.h"
#include "stomp/stomp_errors.h"

struct passwords;

#define PASSWORDS_PASSCODE_MAX 1024  /* octets; a longer one is wrong */
#define PASSWORDS_QUEUE_MAX    1024  /* logins and passcodes that are looked at, or wait for it */
#define PASSWORDS_OF_LOGIN_MAX 4     /* of them with the same login */
#define PASSWORDS_WAITERS_MAX  65536 /* who wait for these */

/* From the value "users" of the configuration: an array of {"login", "password" (a PHC string:
 * $scrypt$... or $pbkdf2-sha256$...), "roles"}, or the name of a file that has it, relative to
 * `directory`. 0, or -errno with a sentence. No thread is started. */
int passwords_new(
    struct passwords **out, const json_t *config, const char *directory, char *why, size_t size);
/* Ends the worker, which answers whoever still waits; may take as long as one hash. Nobody may ask any
 * more. NULL is fine. */
void passwords_end(struct passwords *p);
/* That, and frees it. */
void passwords_free(struct passwords *p);

/* What becomes of a question, in the worker's thread: STOMP_OK, and `who` is the receiver's
 * reference; STOMP_E_UNAUTHENTICATED: the passcode is wrong; STOMP_E_INTERNAL. Called exactly once
 * for each question that waits, also when passwords_free() gives it up (with STOMP_E_INTERNAL,
 * before that returns). It may call passwords_check(), but not passwords_free(). */
typedef void (*passwords_fn)(void *arg, enum stomp_error verdict, struct identity *who);

/* Starts the worker when it is first needed (a thread must not be forked over). STOMP_OK: known
 * already, *out is the caller's; STOMP_E_UNAUTHENTICATED: as surely wrong; STOMP_E_BUSY: the queue
 * is full, or too much of it is this login's, come later; STOMP_E_TOO_MANY_FAILURES: so many wrong
 * passcodes for this login came of late that one more is not looked at (one that was verified a
 * while ago is still good); STOMP_E_INTERNAL; -1: fn will be called, perhaps before this returns.
 * Any thread. An unknown login takes as long as a wrong passcode. */
int passwords_check(struct passwords *p, struct bytes login, struct bytes passcode,
    struct identity **out, passwords_fn fn, void *arg);

/* A PHC string for a passcode, with a fresh salt; for `sockjsd --hash-password`. 0 or -errno. */
int passwords_hash(const char *passcode, char *out, size_t size);

#endif
