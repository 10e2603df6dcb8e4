/*
 * checkup/talk.h - what the doctor says to the other side, and what its answers mean.
 *
 * One language for two listeners. The application "doctor" (doc/doctor.md) understands it; an echo
 * gives it back as it is. In both cases an answer is a JSON object with the `id` of what was asked.
 */
#ifndef CHECKUP_TALK_H
#define CHECKUP_TALK_H

#include "base/buf.h"
#include "base/bytes.h"
#include "checkup/facts.h"

/* Numbers of what is asked. */
enum {
	TALK_FIRST = 1,  /* and those behind it */
	TALK_FILL = 500, /* to make it long; who counts answers passes these over */
	TALK_PUSH = 900,
	TALK_SILENCE = 901,
	TALK_REPORT = 902
};

struct reply {
	long long id;    /* -1: it is none */
	long long at_ms; /* the server's clock; -1: it does not say */
	long long seq;   /* of a push; 0 */
	bool is_doctor, is_push, is_error;
};

/* What it saw of us, for id 1; or an echo, of so many octets there and back. 0 or -ENOMEM. */
int talk_seen(struct buf *out, unsigned id);
int talk_echo(struct buf *out, unsigned id, unsigned octets);
int talk_push(struct buf *out, unsigned count, unsigned every_ms);
int talk_silence(struct buf *out, unsigned ms);
/* Any text. What it says about us goes to `saw`. */
struct reply talk_read(struct bytes text, struct saw_facts *saw);

#endif
