/*
 * doctor/doctor_private.h - between doctor.c, which has the session's callbacks and its timer,
 * doctor_answers.c, which says what can be said at once, and doctor_snapshot.c, by which another process goes on.
 */
#ifndef DOCTOR_DOCTOR_PRIVATE_H
#define DOCTOR_DOCTOR_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "doctor/doctor.h"
#include "doctor/orders.h"

#define AGENT_MOST     256
#define GREETINGS_MOST 20

struct push {
	bool is_on;
	bool is_unasked; /* one that was asked for takes its place */
	int64_t id, seq, of, bytes, every_ms;
	uint64_t due; /* by the clock */
};

struct silence {
	bool is_on;
	int64_t id, ms;
	uint64_t due;
};

struct doctor_session {
	struct sockjs_session *session;
	struct doctor *doctor;
	char *sight; /* members of `seen`; NULL: memory was out */
	char agent[AGENT_MOST + 1];
	uint64_t opened; /* by the clock */
	int64_t count;   /* messages that came */
	unsigned errors, reports;
	struct push push;
	struct silence silence;
	int greetings; /* pushes that come unasked, after `seen`; -1: neither */
	bool is_full;  /* what it was sent waits */
	bool is_over;  /* it was closed from here */
};

void doctor_session_free(struct doctor_session *ds);

/* The callbacks save and restore: doctor_snapshot.c */
int doctor_save(struct sockjs_session *s, struct sockjs_saved *to, void *app);
int doctor_restore(struct sockjs_session *s, struct sockjs_saved *from, void *app);

/* --- doctor_answers.c ------------------------------------------------------------- */

/* It is closed from here. */
void doctor_end(struct doctor_session *ds, unsigned code, const char *reason);
void doctor_end_without_memory(struct doctor_session *ds);

/* An answer: its beginning, its members, and out it goes; `err` is that of what was written. */
int doctor_begin(const struct doctor_session *ds, struct buf *out, const char *is, int64_t id);
int doctor_add_pad(struct buf *out, int64_t bytes);
void doctor_say(struct doctor_session *ds, struct buf *out, int err);
/* The sentence may repeat what the client has said. */
void doctor_say_error(
    struct doctor_session *ds, int64_t id, const char *code, const char *sentence);

/* Orders that have an answer at once. */
void doctor_do_seen(struct doctor_session *ds, const struct order *o);
void doctor_do_echo(struct doctor_session *ds, const struct order *o, size_t octets);
void doctor_do_stop(struct doctor_session *ds, const struct order *o);
void doctor_do_report(struct doctor_session *ds, const struct order *o);

#endif
