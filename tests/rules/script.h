/*
 * tests/rules/script.h - one conversation: what the peer sends, and what must come
 * back. It is the same for a codec that is called and for a server on a socket.
 *
 * Whoever is tested echoes messages. The script is the other side: as a client it
 * masks what it sends, as a server it does not. A script that lets the connection
 * live is given a Close at its end, so that nothing can come unnoticed before the
 * answer to that.
 */
#ifndef RULES_SCRIPT_H
#define RULES_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/octets.h"

enum { FIN = 0x80, RSV1 = 0x40, RSV2 = 0x20, RSV3 = 0x10 };
enum { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

/* Limits of the endpoint that is tested. */
enum { MESSAGE_MAX = 16 << 20, FRAGMENTS_MAX = 1024 };

enum { NO_STATUS = 1005 }; /* stands for a Close without a code */

enum ending {
	STAYS_OPEN, /* the Close that is added is answered */
	CLOSES,     /* a Close that was sent is answered */
	FAILS,      /* it fails the connection: a Close of its own, and the end */
	BREAKS,     /* we half-close the connection without a Close, it ends it without one */
};

enum { CODES_MAX = 4 };

/* A message or a pong that must come back. */
struct answer {
	unsigned opcode;
	size_t at, n; /* in `payloads` */
};

struct agreed; /* of permessage-deflate; deflate.h */
struct squeezer;

struct script {
	bool masking;
	const struct agreed *agreed; /* NULL: no extension */
	struct squeezer *squeezer;   /* compresses what is sent; NULL without extension */
	struct octets sent;
	struct octets payloads;
	struct answer *answers;
	size_t count, capacity;
	enum ending ending;
	unsigned codes[CODES_MAX]; /* that its Close may have; ended by 0 */
	bool may_fail;             /* failing with one of these is right as well, at any point */
	bool must_compress;        /* one message at least must come compressed */
	uint32_t key;              /* of the next mask */
	void *scratch;
};

void script_init(struct script *s, bool masking, const struct agreed *agreed);
/* After the last call of the functions below: adds the Close. */
void script_finish(struct script *s);
void script_free(struct script *s);

/* --- sending ---------------------------------------------------------------- */

/* A header as it should not be: what is left 0 is as it should be. */
struct oddity {
	unsigned width;     /* octets of the length: 2 or 8 */
	bool announces;     /* a length other than that of the payload: */
	uint64_t length;    /* this one */
	bool wrongly_masks; /* masked if it must not be, and the other way round */
	bool has_key;
	unsigned char key[4];
};

void send_octets(struct script *s, const void *p, size_t n);
/* FIRST: the first octet of the header. */
void send_frame(struct script *s, unsigned first, const void *p, size_t n);
void send_odd_frame(
    struct script *s, unsigned first, const void *p, size_t n, const struct oddity *odd);
void send_text(struct script *s, const char *text);
void send_close(struct script *s, unsigned code, const char *reason);
/* One message in frames of the given size, the last one shorter unless it divides N. */
void send_in_fragments(struct script *s, unsigned opcode, const void *p, size_t n, size_t each);

/* The same as compressed messages; only if an extension has been agreed on. */
struct style;
void send_compressed(
    struct script *s, unsigned first, const void *p, size_t n, const struct style *style);
/* The payload alone, to be sent by other means; as long as the script lives. */
struct octets script_squeeze(struct script *s, const void *p, size_t n, const struct style *style);

/* --- expecting -------------------------------------------------------------- */

void expect_message(struct script *s, unsigned opcode, const void *p, size_t n);
void expect_text(struct script *s, const char *text);
void expect_pong(struct script *s, const void *p, size_t n);
void expect_close(struct script *s, unsigned code);
void expect_failure(struct script *s, unsigned code);
/* One code more, besides that of expect_failure() or expect_maybe_failure(). */
void expect_or_code(struct script *s, unsigned code);
void expect_maybe_failure(struct script *s, unsigned code);
void expect_break(struct script *s);

/* Sends a frame that is a whole message and expects its echo. */
void echo(struct script *s, unsigned opcode, const void *p, size_t n);
void echo_text(struct script *s, const char *text);
void echo_compressed(
    struct script *s, unsigned opcode, const void *p, size_t n, const struct style *style);

/* --- payloads: live as long as the script ------------------------------------ */

void *script_room(struct script *s, size_t n);
/* N octets of text with code points of one to four octets. */
unsigned char *script_text(struct script *s, size_t n);
/* N octets that do not repeat. */
unsigned char *script_noise(struct script *s, size_t n);

#endif
