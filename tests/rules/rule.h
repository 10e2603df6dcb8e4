/*
 * tests/rules/rule.h - the catalogue: every rule of RFC 6455 and RFC 7692 that can be
 * seen from outside, as a case of its own. Its name is a sentence that can be false,
 * behind the number of the RFC and the section.
 *
 * A rule is a conversation (script.h), which `play` writes down for each role and each
 * connection anew; on the wire it may have an opening handshake of its own, and be over
 * with its refusal.
 */
#ifndef RULES_RULE_H
#define RULES_RULE_H

#include "rules/script.h"

/* Who has to keep a rule. */
enum {
	ON_SERVER = 1, /* the codec as a server */
	ON_CLIENT = 2, /* the codec as a client */
	ON_WIRE = 4,   /* a server on a socket */
	ON_CODEC = ON_SERVER | ON_CLIENT,
	ON_ALL = ON_CODEC | ON_WIRE,
};

/* What an offer of extensions must be answered with. */
struct fitting {
	enum {
		ACCEPTED,
		DECLINED,            /* the connection opens without an extension */
		ACCEPTED_OR_NOT,     /* as the server likes */
		DECLINED_OR_REFUSED, /* what the offer is made of is no offer; 400 is right as well
		                      */
		REFUSED /* by the client: what it is answered was not offered (section 5.1) */
	} answer;
	bool server_forgets;  /* server_no_context_takeover was asked for */
	unsigned server_bits; /* server_max_window_bits; 0: not offered */
	unsigned client_bits; /* client_max_window_bits, 15 if it has no value; 0: not offered */
};

struct opening;

struct rule {
	char name[120];
	unsigned on; /* ON_ALL unless changed */
	void (*play)(struct script *s, const struct rule *r);
	const char *offer;  /* Sec-WebSocket-Extensions, '\n' between lines; NULL: none */
	const char *answer; /* the same, as a server answers it to the codec as a client */
	const struct fitting *fitting; /* NULL: nothing was offered, nothing may be answered */
	void (*open)(struct opening *o, const struct rule *r); /* NULL: with `offer` */
	long a, b;                                             /* for these */
	const void *data;
	size_t n;
};

struct catalogue {
	struct rule **rules;
	size_t count, capacity;
};

typedef void play_fn(struct script *s, const struct rule *r);

/* Adds a rule; whoever adds it fills in the rest. Lives as long as the program. */
struct rule *rule_add(struct catalogue *c, play_fn *play, const char *name, ...)
    __attribute__((format(printf, 3, 4)));

/* --- the families, one a file ------------------------------------------------- */

void add_frame_rules(struct catalogue *c);    /* frames.c: headers, opcodes, reserved bits, masks */
void add_size_rules(struct catalogue *c);     /* sizes.c */
void add_control_rules(struct catalogue *c);  /* control.c: pings and pongs */
void add_fragment_rules(struct catalogue *c); /* fragments.c */
void add_text_rules(struct catalogue *c);     /* text.c: UTF-8 */
void add_closing_rules(struct catalogue *c);  /* closing.c */
void add_opening_rules(struct catalogue *c);  /* opening.c */
void add_negotiation_rules(struct catalogue *c); /* negotiation.c: offers of permessage-deflate */
void add_compression_rules(struct catalogue *c); /* compression.c */

#endif
