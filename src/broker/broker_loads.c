/*
 * broker/broker_loads.c - what peers have kept, and is asked of them: one question for each destination at
 * a time, for all who wait for it.
 */
#include <errno.h>

#include "base/mem.h"
#include "broker/broker_history.h"

struct load {
	struct map_node node; /* part->loads */
	struct list waiting;
	uint64_t number; /* questions are counted */
	uint16_t name_len;
	char name[];
};

static struct bytes name_of(const struct map_node *n)
{
	const struct load *l = container_of(n, struct load, node);

	return (struct bytes){ l->name, l->name_len };
}

void broker_loads_init(struct broker_part *part)
{
	map_init(&part->loads, name_of, &part->broker->seed);
}

void broker_loads_fini(struct broker_part *part)
{
	map_fini(&part->loads);
}

static struct load *add(struct broker_part *part, struct bytes destination)
{
	struct load *l = mem_alloc(sizeof(*l) + destination.n);

	if (!l)
		return NULL;
	list_init(&l->waiting);
	l->number = ++part->load_number;
	l->name_len = (uint16_t)destination.n;
	bytes_put(l->name, destination);
	if (map_insert(&part->loads, &l->node) == 0)
		return l;
	mem_free(l);
	return NULL;
}

static void take(struct broker_part *part, struct load *l, struct list *waiting)
{
	list_splice(waiting, &l->waiting);
	map_remove(&part->loads, &l->node);
	mem_free(l);
}

int broker_loads_wait(struct broker_part *part, struct bytes destination, uint64_t since,
    struct list *waiter, uint64_t *number)
{
	const struct broker_peers *peers = &part->broker->peers;
	struct map_node *found = map_find(&part->loads, destination);
	struct load *l = found ? container_of(found, struct load, node) : add(part, destination);

	if (!l)
		return -ENOMEM;
	if (!found && peers->load(peers->arg, part->index, destination, since) < 0) {
		map_remove(&part->loads, &l->node);
		mem_free(l);
		return -ENOMEM;
	}
	list_append(&l->waiting, waiter);
	*number = l->number;
	return 0;
}

void broker_loads_take(struct broker_part *part, struct bytes destination, struct list *waiting)
{
	struct map_node *found = map_find(&part->loads, destination);

	if (found)
		take(part, container_of(found, struct load, node), waiting);
}

struct all {
	struct broker_part *part;
	struct list *waiting;
};

static bool take_one(struct map_node *node, void *arg)
{
	const struct all *all = arg;

	take(all->part, container_of(node, struct load, node), all->waiting);
	return true;
}

void broker_loads_take_all(struct broker_part *part, struct list *waiting)
{
	map_each(&part->loads, take_one, &(struct all){ part, waiting });
}
