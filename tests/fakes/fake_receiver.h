/*
 * fakes/fake_receiver.h - a receiver that writes down what it is told to say, in
 * the frames of SockJS: o, h, a[one,two], c[3000,Go away!]; "?" where it is to ask for a sign; and, of a bare
 * WebSocket, 403 Forbidden.
 */
#ifndef FAKES_FAKE_RECEIVER_H
#define FAKES_FAKE_RECEIVER_H

#include "session/receiver.h"

struct fake_receiver {
	struct receiver base;
	const char *transport;
	char said[8192];
	size_t len;
	bool polling;  /* one frame, and it is done */
	bool broken;   /* whatever is said is lost */
	bool arriving; /* polling: its client has not taken it yet */
	bool clogged;  /* messages stay in `queued` until fake_receiver_drain() */
	size_t queued;
	size_t unacked;        /* of what the kernel has taken */
	uint32_t written;      /* octets of messages, since it began */
	bool blind;            /* nothing is known of what the client has */
	unsigned measured;
	uint64_t acknowledged; /* by the client, of what the kernel has taken before */
	unsigned frames;       /* of messages */
	unsigned closes, aborts, asked;
	bool ends_when_asked; /* as a stream does */
	int paused;           /* -1: never told */
};

/* A stream, not polling. */
void fake_receiver_init(struct fake_receiver *r);
void fake_receiver_init_polling(struct fake_receiver *r);
/* The kernel takes all but `left` octets of what waits; the session hears of it when none are. */
void fake_receiver_drain(struct fake_receiver *r, size_t left);
/* Checks what was said since the last look, and forgets it. */
#define fake_receiver_said(r, text)                                                                \
	do {                                                                                       \
		ck_assert_str_eq((r)->said, (text));                                               \
		(r)->len = 0;                                                                      \
		(r)->said[0] = '\0';                                                               \
	} while (0)

#endif
