/*
 * pubsub/hooks.c - applications in C: what they publish, hear from inside, and handle.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "pubsub/relayed.h"
#include "pubsub/joined.h"

void sockjs_broker_set_hooks(
    struct sockjs_broker *b, const struct sockjs_broker_hooks *hooks, void *arg)
{
	b->hooks = *hooks;
	b->hooks_arg = arg;
}

/* --- publishing ------------------------------------------------------------ */

bool hooks_publication_is_sound(const struct sockjs_publication *p)
{
	for (size_t i = 0; i < p->header_count; i++)
		if (!p->headers[i].name || !*p->headers[i].name || !p->headers[i].value)
			return false;
	return p->header_count <= STOMP_HEADERS_MAX && (p->body || p->len == 0);
}

int sockjs_broker_publish(struct sockjs_broker *b, const struct sockjs_publication *p)
{
	struct buf scratch = BUF_INIT;
	struct published *message;
	int err;

	if (!p->destination || !hooks_publication_is_sound(p) ||
	    !broker_destination_is_valid(b->topics, bytes_of(p->destination)) ||
	    relayed_is_between(b, bytes_of(p->destination)) || joined_lacks(b, bytes_of(p->destination)))
		return -EINVAL;
	if (joined_is_refused(b, bytes_of(p->destination)))
		return -EHOSTUNREACH;
	message = published_from(&scratch, p);
	buf_fini(&scratch);
	if (!message)
		return -ENOMEM;
	err = relayed_has(b, message->base.destination) ? relayed_publish_anywhere(b, message)
	                                                : broker_publish(b->topics, &message->base);
	broker_message_unref(&message->base);
	return err;
}

/* --- subscriptions from inside --------------------------------------------------- */

struct sockjs_subscription {
	struct list node; /* part->insiders */
	struct pubsub_part *part;
	struct broker_member *member;
	struct broker_subscription *relayed; /* what it is here; NULL: it is not */
	void (*fn)(const struct sockjs_publication *p, void *arg);
	void *arg;
};

static void deliver_inside(
    void *receiver, uintptr_t label, struct broker_message *m, struct broker_fan *fan)
{
	const struct sockjs_subscription *s = receiver;
	struct sockjs_publication view = published_view(container_of(m, struct published, base));

	(void)label, (void)fan;
	s->fn(&view, s->arg);
}

static enum broker_taken take_inside(
    void *receiver, uintptr_t label, struct broker_message *m, unsigned deliveries)
{
	(void)deliveries;
	deliver_inside(receiver, label, m, NULL);
	return BROKER_TAKEN;
}

static const struct broker_ops inside_ops = { .deliver = deliver_inside, .take = take_inside };

static int subscribe_relayed(struct sockjs_subscription *s, struct bytes pattern)
{
	struct buf key = BUF_INIT;
	const char *why;
	int err = relayed_key(pattern, &key);

	if (err == 0)
		err = broker_subscribe(
		    s->member, (struct bytes){ buf_data(&key), buf_len(&key) }, s, 0, &s->relayed);
	if (err == 0)
		switch (relayed_join(
		    s->part->relayed, (struct bytes){ buf_data(&key), buf_len(&key) }, &why)) {
		case STOMP_OK:
		case STOMP_PENDING:
			break;
		default:
			s->relayed = NULL;
			err = -EACCES;
		}
	buf_fini(&key);
	return err;
}

static int subscribe_inside(
    struct sockjs_broker *b, struct sockjs_subscription *s, const char *pattern)
{
	struct broker_subscription *topic;

	if (!s->member)
		return -ENOMEM;
	if (relayed_has(b, bytes_of(pattern)))
		return subscribe_relayed(s, bytes_of(pattern));
	if (relayed_is_between(b, bytes_of(pattern)) || joined_lacks(b, bytes_of(pattern)))
		return -EINVAL;
	if (broker_is_queue(b->topics, bytes_of(pattern)))
		return broker_consume(
		    s->member, bytes_of(pattern), s, 0, BROKER_AUTO, b->prefetch, &topic);
	return broker_subscribe(s->member, bytes_of(pattern), s, 0, &topic);
}

/* Before the server runs all parts are this thread's. */
static struct pubsub_part *part_for_me(struct sockjs_broker *b)
{
	struct pubsub_part *here = pubsub_here(b);

	return here ? here : atomic_load(&b->is_running) ? NULL : &b->parts[0];
}

int sockjs_broker_subscribe(struct sockjs_broker *b, const char *pattern,
    void (*fn)(const struct sockjs_publication *p, void *arg), void *arg,
    struct sockjs_subscription **out)
{
	struct pubsub_part *part = part_for_me(b);
	struct sockjs_subscription *s;
	int err;

	if (!part)
		return -EPERM;
	s = mem_zalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	list_append(&part->insiders, &s->node);
	s->fn = fn;
	s->arg = arg;
	s->part = part;
	s->member = pubsub_join(part, &inside_ops, (struct bytes){ 0 });
	err = subscribe_inside(b, s, pattern);
	if (err < 0) {
		sockjs_broker_unsubscribe(s);
		return err;
	}
	*out = s;
	return 0;
}

void sockjs_broker_unsubscribe(struct sockjs_subscription *s)
{
	if (!s)
		return;
	if (s->relayed)
		relayed_leave(s->part->relayed, broker_subscription_pattern(s->relayed));
	if (s->member)
		broker_leave(s->member);
	list_remove(&s->node);
	mem_free(s);
}

void hooks_forget_insiders(struct pubsub_part *part)
{
	while (!list_empty(&part->insiders))
		sockjs_broker_unsubscribe(
		    container_of(list_first(&part->insiders), struct sockjs_subscription, node));
}

/* --- handlers of destinations -------------------------------------------------------- */

static void handler_free(struct handler *h)
{
	list_remove(&h->node);
	mem_free(h->given);
	mem_free(h->pattern);
	mem_free(h);
}

static bool is_variable(struct bytes segment)
{
	return segment.n > 2 && segment.p[0] == '{' && segment.p[segment.n - 1] == '}';
}

/* The next segment of a path, behind the separator that it begins with; false: that was all. */
static bool next_segment(const struct sockjs_broker *b, struct bytes *rest, struct bytes *segment)
{
	size_t n = 0;

	if (rest->n == 0)
		return false;
	rest->p++;
	rest->n--;
	while (n < rest->n && rest->p[n] != '/' && rest->p[n] != b->separator)
		n++;
	*segment = (struct bytes){ rest->p, n };
	rest->p += n;
	rest->n -= n;
	return true;
}

/* The pattern with a star for each variable. */
static char *without_variables(const struct sockjs_broker *b, const char *pattern)
{
	char *text = mem_alloc(strlen(pattern) + 1), *to = text;
	struct bytes rest = bytes_of(pattern), segment;

	if (!text)
		return NULL;
	for (const char *separator = rest.p; next_segment(b, &rest, &segment); separator = rest.p) {
		*to++ = *separator;
		if (is_variable(segment))
			segment = BYTES("*");
		bytes_put(to, segment);
		to += segment.n;
	}
	*to = '\0';
	return text;
}

static struct handler *handler_new(struct sockjs_broker *b, const char *pattern, int *err)
{
	struct handler *h = mem_zalloc(sizeof(*h));

	*err = -ENOMEM;
	if (!h)
		return NULL;
	h->given = mem_strdup(pattern);
	h->pattern = without_variables(b, pattern);
	if (h->given && h->pattern)
		*err = broker_pattern_is_valid(b->topics, bytes_of(h->pattern)) ? 0 : -EINVAL;
	list_append(&b->handlers, &h->node);
	if (*err == 0)
		return h;
	handler_free(h);
	return NULL;
}

int sockjs_broker_handle(
    struct sockjs_broker *b, const char *pattern, sockjs_handler_fn fn, void *arg)
{
	int err;
	struct handler *h = handler_new(b, pattern, &err);

	if (h) {
		h->fn = fn;
		h->arg = arg;
	}
	return err;
}

int sockjs_broker_answer(
    struct sockjs_broker *b, const char *pattern, sockjs_answer_fn fn, void *arg)
{
	int err;
	struct handler *h = handler_new(b, pattern, &err);

	if (h) {
		h->answer = fn;
		h->arg = arg;
	}
	return err;
}

static struct handler *find_handler(
    const struct sockjs_broker *b, struct bytes destination, bool answers)
{
	struct list *pos;

	list_foreach (pos, &b->handlers) {
		struct handler *h = container_of(pos, struct handler, node);

		if ((answers ? h->answer != NULL : h->fn != NULL) &&
		    broker_pattern_matches(b->topics, bytes_of(h->pattern), destination))
			return h;
	}
	return NULL;
}

struct handler *hooks_handler(const struct sockjs_broker *b, struct bytes destination)
{
	return find_handler(b, destination, false);
}

struct handler *hooks_answerer(const struct sockjs_broker *b, struct bytes destination)
{
	return find_handler(b, destination, true);
}

int sockjs_broker_is_handled(const struct sockjs_broker *b, const char *destination)
{
	return hooks_handler(b, bytes_of(destination)) || hooks_answerer(b, bytes_of(destination));
}

/* --- calling them ------------------------------------------------------------------------ */

/* What stands for the variables of a pattern, as strings. */
struct variables {
	struct sockjs_header headers[BROKER_SEGMENTS_MAX];
	size_t count;
	char text[2 * BROKER_DESTINATION_MAX + 2 * BROKER_SEGMENTS_MAX];
};

/* Both have been found to fit. */
static void read_variables(const struct sockjs_broker *b, const struct handler *h,
    struct bytes destination, struct variables *v)
{
	struct bytes pattern = bytes_of(h->given), name, value;
	char *at = v->text;

	v->count = 0;
	while (next_segment(b, &pattern, &name) && next_segment(b, &destination, &value))
		if (is_variable(name) && v->count < BROKER_SEGMENTS_MAX) {
			struct sockjs_header *to = &v->headers[v->count++];

			to->name = bytes_put_text(&at, (struct bytes){ name.p + 1, name.n - 2 });
			to->value = bytes_put_text(&at, value);
		}
}

static struct sockjs_publication with_variables(const struct sockjs_broker *b,
    const struct handler *h, const struct published *p, struct variables *v)
{
	struct sockjs_publication view = published_view(p);

	read_variables(b, h, p->base.destination, v);
	view.variables = v->headers;
	view.variable_count = v->count;
	return view;
}

int hooks_handle(struct sockjs_client *c, const struct handler *h, const struct published *p)
{
	struct variables v;
	struct sockjs_publication view = with_variables(c->part->broker, h, p, &v);

	return h->fn(c, &view, h->arg);
}

int hooks_answer(struct sockjs_client *c, const struct handler *h, const struct published *p,
    struct published **answer)
{
	struct variables v;
	struct sockjs_publication view = with_variables(c->part->broker, h, p, &v), said = { 0 };
	int status = h->answer(c, &view, &said, h->arg);

	if (status != 0)
		return status;
	said.destination = p->base.destination.p;
	*answer = published_from(&c->part->scratch, &said);
	return *answer ? 0 : -ENOMEM;
}

void hooks_forget_handlers(struct sockjs_broker *b)
{
	while (!list_empty(&b->handlers))
		handler_free(container_of(list_first(&b->handlers), struct handler, node));
}
