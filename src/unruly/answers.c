/*
 * unruly/answers.c - answers that are late on purpose; see answers.h.
 */
#include "unruly/answers.h"

#include <errno.h>

#include "base/mem.h"
#include "base/snapshot.h"

#define MANY       1024
#define MANY_BYTES ((size_t)1 << 20)

static size_t cost_of(const struct answer *one)
{
	return sizeof(*one) + one->len;
}

void answers_init(struct answers *a)
{
	list_init(&a->list);
	a->count = 0;
	a->bytes = 0;
}

void answers_fini(struct answers *a)
{
	while (answers_first(a))
		answers_drop_first(a);
}

int answers_add(struct answers *a, const struct sockjs_message *m, uint64_t due)
{
	struct answer *one = mem_alloc(sizeof(*one) + m->len);

	if (!one)
		return -ENOMEM;
	one->due = due;
	one->len = m->len;
	one->is_binary = m->is_binary != 0;
	bytes_put(one->data, (struct bytes){ m->data, m->len });
	list_append(&a->list, &one->node);
	a->count++;
	a->bytes += cost_of(one);
	return 0;
}

const struct answer *answers_first(const struct answers *a)
{
	struct list *first = list_first(&a->list);

	return first ? container_of(first, struct answer, node) : NULL;
}

void answers_drop_first(struct answers *a)
{
	struct answer *one = container_of(list_first(&a->list), struct answer, node);

	list_remove(&one->node);
	a->count--;
	a->bytes -= cost_of(one);
	mem_free(one);
}

bool answers_are_many(const struct answers *a)
{
	return a->count >= MANY || a->bytes >= MANY_BYTES;
}

static void write_answers(const struct answers *a, struct snapshot *s)
{
	const struct list *pos;

	list_foreach (pos, &a->list) {
		const struct answer *one = container_of(pos, struct answer, node);

		snapshot_more(s, true);
		snapshot_bytes(s, (struct bytes){ one->data, one->len });
		snapshot_bool(s, one->is_binary);
		snapshot_u64(s, one->due);
	}
	snapshot_more(s, false);
}

static void read_answers(struct answers *a, struct snapshot *s)
{
	while (snapshot_more(s, false)) {
		struct bytes text = snapshot_bytes(s, (struct bytes){ NULL, 0 });
		struct sockjs_message m = { text.p, text.n, snapshot_bool(s, false) };
		uint64_t due = snapshot_u64(s, 0);

		if (!snapshot_error(s) && answers_add(a, &m, due) < 0)
			snapshot_fail(s, -ENOMEM);
	}
}

void answers_snapshot(struct answers *a, struct snapshot *s)
{
	if (s->is_reading)
		read_answers(a, s);
	else
		write_answers(a, s);
}
