/*
 * cluster/cluster_ask.c - a request for a session of which nobody knows where it is: all gateways are asked, and it
 * waits; see cluster.h.
 *
 *	the thread of the request --mail--> hub --engine--> all others
 *	                          <--mail-- who has it, or nobody
 */
#include <errno.h>

#include "base/mem.h"
#include "cluster/cluster_private.h"

#define ANSWER_MS   500  /* so long all have to say that they do not have it */
#define GUESS_MS    5000 /* so long it is taken for granted who is to have it then */
#define ASKING_MOST 2000 /* at a time; others are told to come later */

static const char busy[] = "Too much is being looked for; come again.";

struct asking {
	struct mail mail;
	struct cluster_part *part;
	struct list node; /* of the hub */
	struct http_hold hold; /* the part's */
	struct engine_question question; /* the hub's */
	uint64_t asked_at;
	size_t lacking; /* answers that are waited for */
	uint64_t found; /* which gateway has it; 0: none */
	bool is_busy;   /* nobody was asked */
	size_t prefix_len, id_len;
	char name[]; /* both, with a NUL between them */
};

static struct bytes prefix_of(const struct asking *a)
{
	return (struct bytes){ a->name, a->prefix_len };
}

static struct bytes id_of(const struct asking *a)
{
	return (struct bytes){ a->name + a->prefix_len + 1, a->id_len };
}

static struct bytes name_of(const struct asking *a)
{
	return (struct bytes){ a->name, a->prefix_len + 1 + a->id_len };
}

/* --- back in the thread of the request ---------------------------------------------------------------- */

/* The next look finds what is noted here. */
static int note(struct asking *a)
{
	struct cluster_part *p = a->part;
	struct whereabout known = { .gateway = a->found };

	if (!a->found)
		known = (struct whereabout){ cluster_part_owner(p, prefix_of(a), id_of(a))->id, loop_now(p->loop) + GUESS_MS };
	return whereabouts_note(&p->cluster->whereabouts, name_of(a), known);
}

static void on_answer(struct mail *mail, struct loop *loop)
{
	struct asking *a = container_of(mail, struct asking, mail);

	(void)loop;
	if (!a->part->has_ended && a->hold.request)
		http_hold_resume(&a->hold, a->is_busy || note(a) < 0 ? busy : NULL);
	mem_free(a);
}

/* --- in the hub ----------------------------------------------------------------------------------------- */

static void send_back(struct asking *a)
{
	struct cluster_hub *hub = &a->part->cluster->hub;

	if (!list_empty(&a->node))
		hub->asked--;
	list_remove(&a->node);
	loop_post(a->part->loop, &a->mail, on_answer);
}

static struct asking *of(struct engine_question *q)
{
	return container_of(q, struct asking, question);
}

/* The first who has it is enough; and who can be reached, if none of them has it. */
static void on_found(struct engine_question *q, uint64_t gateway, struct bytes body)
{
	struct asking *a = of(q);
	struct cluster *c = a->part->cluster;

	if (bytes_equal(body, BYTES("1")))
		a->found = gateway;
	else if (!cluster_hub_awaits(c, gateway, a->asked_at) || --a->lacking > 0)
		return;
	c->settings.kind->ask_cancel(q);
	send_back(a);
}

static void on_done(struct engine_question *q, size_t missing)
{
	(void)missing;
	send_back(of(q));
}

static void ask(struct cluster *c, struct asking *a)
{
	struct cluster_hub *hub = &c->hub;

	a->question.answer = on_found;
	a->question.done = on_done;
	if (hub->asked >= ASKING_MOST) {
		a->is_busy = true;
		send_back(a);
		return;
	}
	a->asked_at = loop_now(c->parts[0].loop);
	a->lacking = cluster_hub_count_awaited(c, a->asked_at);
	/* Who cannot be asked does not have it */
	if (!hub->engine || a->lacking == 0 ||
	    c->settings.kind->ask(hub->engine, BYTES("session"), name_of(a), ANSWER_MS, &a->question) != 0) {
		send_back(a);
		return;
	}
	list_append(&hub->asking, &a->node);
	hub->asked++;
}

static void on_question(struct mail *mail, struct loop *loop)
{
	struct asking *a = container_of(mail, struct asking, mail);

	(void)loop;
	ask(a->part->cluster, a);
}

void cluster_ask_end(struct cluster *c)
{
	while (!list_empty(&c->hub.asking)) {
		struct asking *a = container_of(list_first(&c->hub.asking), struct asking, node);

		c->settings.kind->ask_cancel(&a->question);
		send_back(a);
	}
}

/* --- in the thread of the request ------------------------------------------------------------------------- */

static void on_client_gone(struct http_hold *h)
{
	(void)h; /* the answer finds that nobody waits for it */
}

int cluster_ask(struct cluster_part *p, const struct cluster_session *s, struct http_request *r)
{
	struct asking *a = mem_zalloc(sizeof(*a) + s->prefix.n + 1 + s->id.n);

	if (!a)
		return -ENOMEM;
	a->part = p;
	list_init(&a->node);
	a->prefix_len = s->prefix.n;
	a->id_len = s->id.n;
	bytes_put(bytes_put(a->name, s->prefix) + 1, s->id);
	p->asked++;
	http_hold(r, &a->hold, on_client_gone);
	loop_post(p->cluster->parts[0].loop, &a->mail, on_question);
	return 0;
}

/* --- when another gateway asks ------------------------------------------------------------------------------ */

void cluster_asked(struct cluster *c, struct bytes body, struct bytes to)
{
	const char *nul = body.n ? memchr(body.p, '\0', body.n) : NULL;
	const struct cluster_ops *ops = &c->settings.ops;
	struct bytes prefix, id;
	bool has;

	if (!nul)
		return;
	prefix = (struct bytes){ body.p, (size_t)(nul - body.p) };
	id = (struct bytes){ nul + 1, body.n - prefix.n - 1 };
	has = ops->has(ops->arg, prefix, id);
	(void)c->settings.kind->reply(c->hub.engine, to, has ? BYTES("1") : BYTES("0"));
}
