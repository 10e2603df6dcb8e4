/*
 * unruly/answers.h - answers that are late on purpose, in order.
 */
#ifndef UNRULY_ANSWERS_H
#define UNRULY_ANSWERS_H

#include "base/list.h"
#include "sockjs.h"

struct answer {
	struct list node;
	uint64_t due; /* by the clock */
	size_t len;
	bool is_binary;
	char data[];
};

struct answers {
	struct list list;
	unsigned count;
	size_t bytes; /* with what each costs */
};

void answers_init(struct answers *a);
void answers_fini(struct answers *a);
/* 0 or -ENOMEM. Each is due no sooner than those before. */
int answers_add(struct answers *a, const struct sockjs_message *m, uint64_t due);
/* Writes them down; what is read is added. */
struct snapshot;
void answers_snapshot(struct answers *a, struct snapshot *s);
/* The first one, or NULL. */
const struct answer *answers_first(const struct answers *a);
void answers_drop_first(struct answers *a);
/* Whether there are so many that no more should be read. */
bool answers_are_many(const struct answers *a);

#endif
