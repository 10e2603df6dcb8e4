/*
 * unruly/wishes.h - what a client wants a session of its to do wrong, as the path of its URL says:
 * "/delay-500/close-4001-after-3". No I/O.
 *
 * Each segment is one wish: a word, and what it needs behind a dash.
 *
 *	name-TEXT           what it receives is kept under this name (letters, digits, . _ ~ -)
 *	delay-MS            each answer comes so much later
 *	twice               each answer comes twice
 *	drop-N              the nth message has no answer
 *	drop-every-N        nor has the 2nth, the 3nth...
 *	silent[-after-N]    after N messages none has
 *	slow-MS             a message is read only so long after the one before
 *	deaf[-after-N]      after N messages none is read
 *	fail[-after-N]      after N messages each send fails
 *	close-CODE[-after-N | -in-MS]   closes: as soon as it is open, after N messages, or so much later
 *	reason-TEXT         the reason of that, percent-encoded
 *	oom[-after-N]       after N messages memory is out
 *	hold-MS             the handshake is decided so much later
 *	refuse-STATUS       the handshake is refused
 */
#ifndef UNRULY_WISHES_H
#define UNRULY_WISHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WISHES_NAME_MAX     64
#define WISHES_REASON_MAX   123   /* octets: a Close frame has room for no more */
#define WISHES_MS_MAX       60000
#define WISHES_MESSAGES_MAX 1000000
#define WISHES_NEVER        UINT32_MAX /* after so many messages */

struct wishes {
	char name[WISHES_NAME_MAX + 1]; /* "": none */
	char reason[WISHES_REASON_MAX + 1];
	uint32_t delay_ms, slow_ms, hold_ms, close_in_ms; /* 0: not */
	uint32_t drop, drop_every;                        /* likewise */
	uint32_t silent_after, deaf_after, fail_after, close_after, oom_after;
	uint32_t close_code; /* 0: it does not close */
	uint32_t refuse;     /* an HTTP status, or 0 */
	bool is_twice;
};

/* Reads a path, which is "" or begins with a slash. 0; -EINVAL: it makes no sense, nothing is wished
 * for, and `why` says so in one sentence that fits in a close reason. */
int wishes_read(struct wishes *w, const char *path, char why[WISHES_REASON_MAX + 1]);

#endif
