/*
 * checkup/trial.h - one way, tried: opened, asked, filled if it holds what comes, loaded, left.
 */
#ifndef CHECKUP_TRIAL_H
#define CHECKUP_TRIAL_H

#include "checkup/channel.h"

#define TRIAL_QUESTIONS 6
#define TRIAL_LOAD      24 /* messages at once, by WebSocket */
#define TRIAL_PUSHES    8

struct trial;

enum trial_step {
	TRIAL_WAITING, /* for its turn */
	TRIAL_OPENING,
	TRIAL_ASKING,
	TRIAL_FILLING,   /* with octets, until something is let go */
	TRIAL_LOADING,   /* many at once */
	TRIAL_HEARING,   /* pushes */
	TRIAL_LISTENING, /* whether it says anything by itself */
	TRIAL_DONE
};

struct trial {
	struct channel channel;
	struct facts *facts; /* of all */
	struct way_facts *way;
	const struct net *net;
	struct timer timer;
	enum trial_step step;
	uint64_t asked_at, confirmed_at; /* of the question that waits */
	bool is_waiting, is_ponged;      /* for its answer; its ping has come back */
	int echoes[TRIAL_QUESTIONS], lags[TRIAL_QUESTIONS];
	unsigned questions, silent; /* asked; in a row without a sign */
	unsigned loaded, echo_count, lag_count;
	size_t filled;              /* octets */
	long long quickest, latest; /* pushes, against the server's clock */
	bool is_doctor, was_held;
	void *owner;
	void (*changed)(struct trial *t); /* for who shows it; in the end is_done is set */
};

void trial_start(struct trial *t, const struct net *net, enum way way, struct facts *facts,
    void (*changed)(struct trial *t), void *owner);
/* Not from within `changed`. */
void trial_fini(struct trial *t);

#endif
