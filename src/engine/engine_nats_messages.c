/*
 * engine/engine_nats_messages.c - messages as NATS has them, and as the broker does: what is published and stored, and
 * what has come; see engine_nats.h.
 *
 * Each message of ours says who has sent it and its number (Sockjsd-From: GATEWAY-NUMBER), for one that
 * fits two topics comes twice; what others publish there has no such header, and is taken as it is, once for
 * each topic that it fits.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "engine/engine_nats.h"

#define HEADERS_MAX 128 /* of one message; further ones are left out */

/* --- that come ------------------------------------------------------------------------------------ */

/* Where texts end that are behind one another in one buffer, which moves while it grows. */
struct span {
	size_t name, value, end;
};

static struct bytes name_in(const struct engine *e, const struct span *s)
{
	return (struct bytes){ buf_data(&e->texts) + s->name, s->value - s->name };
}

static struct bytes value_in(const struct engine *e, const struct span *s)
{
	return (struct bytes){ buf_data(&e->texts) + s->value, s->end - s->value };
}

static int read_headers(struct engine *e, struct bytes block, struct span spans[HEADERS_MAX], size_t *count)
{
	struct nats_header h;
	size_t at = 0;
	int err = 0;

	*count = 0;
	buf_clear(&e->texts);
	while (err == 0 && *count < HEADERS_MAX && nats_headers_next(block, &at, &h)) {
		struct span *s = &spans[*count];

		if (nats_name_is_reserved(h.name))
			continue;
		s->name = buf_len(&e->texts);
		err = nats_name_decode(&e->texts, h.name);
		s->value = buf_len(&e->texts);
		if (err == 0)
			err = nats_name_decode(&e->texts, h.value);
		s->end = buf_len(&e->texts);
		++*count;
	}
	return err;
}

/* `like`, with what it says; to who has asked for it, or (NULL) to all. */
void engine_nats_tell(struct engine *e, const struct nats_event *m, struct engine_message like, struct engine_load *to)
{
	struct span spans[HEADERS_MAX];
	struct engine_header headers[HEADERS_MAX];
	size_t count;

	if (nats_name_read(&e->name, e->settings.prefix, m->subject, e->settings.separator, &like.user,
	        &like.destination) < 0) {
		e->counters.nonsense++;
		return;
	}
	if (read_headers(e, m->headers, spans, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		headers[i] = (struct engine_header){ name_in(e, &spans[i]), value_in(e, &spans[i]) };
	like.headers = headers;
	like.header_count = count;
	like.body = m->payload;
	if (to) {
		to->message(to, &like);
		return;
	}
	e->counters.messages_in++;
	e->on->message(e->arg, &like);
}

/* --- that go ----------------------------------------------------------------------------------------- */

static int add_headers(struct engine *e, const struct engine_message *m, struct span spans[HEADERS_MAX])
{
	int err = 0;

	buf_clear(&e->texts);
	for (size_t i = 0; i < m->header_count && err == 0; i++) {
		spans[i].name = buf_len(&e->texts);
		err = nats_name_header(&e->texts, m->headers[i].name);
		spans[i].value = buf_len(&e->texts);
		if (err == 0)
			err = nats_name_value(&e->texts, m->headers[i].value);
		spans[i].end = buf_len(&e->texts);
	}
	return err;
}

static int say(struct engine *e, const struct engine_message *m, const struct nats_header *headers, size_t count)
{
	int err = nats_publish(e->client,
	    &(struct nats_message){ .subject = { buf_data(&e->name), buf_len(&e->name) },
	        .headers = headers,
	        .header_count = count,
	        .payload = m->body });

	if (err == 0)
		e->counters.messages_out++;
	return err;
}

/* Where a user's messages go: to the gateways that have the user; or to the one whose member it is. */
static int publish_private(
    struct engine *e, const struct engine_message *m, const struct nats_header *headers, size_t count)
{
	uint64_t gateway;
	int err;

	buf_clear(&e->name);
	err = nats_name_user(&e->name, e->settings.prefix, m->user, m->destination);
	if (err == 0)
		err = say(e, m, headers, count);
	if (err < 0 || !engine_member_gateway(m->user, &gateway) || gateway == e->settings.gateway)
		return err;
	buf_clear(&e->name);
	err = nats_name_member(&e->name, e->settings.prefix, gateway, m->user, m->destination);
	return err ? err : say(e, m, headers, count);
}

static int publish_to_all(
    struct engine *e, const struct engine_message *m, const struct nats_header *headers, size_t count)
{
	int err;

	buf_clear(&e->name);
	err = nats_name_destination(
	    &e->name, e->settings.prefix, NATS_LIVE, m->destination, e->settings.separator);
	return err ? err : say(e, m, headers, count);
}

/* Its headers behind the first, which is ours. Their number, or -ENOMEM. */
static int make_headers(
    struct engine *e, const struct engine_message *m, struct nats_header first, struct nats_header all[HEADERS_MAX + 1])
{
	struct span spans[HEADERS_MAX];
	int err = add_headers(e, m, spans);

	if (err < 0)
		return err;
	all[0] = first;
	for (size_t i = 0; i < m->header_count; i++)
		all[i + 1] = (struct nats_header){ name_in(e, &spans[i]), value_in(e, &spans[i]) };
	return (int)m->header_count + 1;
}

static struct engine_message bounded(const struct engine_message *m)
{
	struct engine_message b = *m;

	if (b.header_count > HEADERS_MAX)
		b.header_count = HEADERS_MAX;
	return b;
}

int engine_nats_publish(struct engine *e, const struct engine_message *given)
{
	struct engine_message m = bounded(given);
	struct nats_header headers[HEADERS_MAX + 1];
	char from[2 * 16 + 2];
	int n, err;

	snprintf(from, sizeof(from), "%016" PRIx64 "-%" PRIx64, e->settings.gateway, ++e->number);
	n = make_headers(e, &m, (struct nats_header){ BYTES(ENGINE_NATS_FROM), bytes_of(from) }, headers);
	if (n < 0)
		return n;
	err = m.user.n > 0 ? publish_private(e, &m, headers, (size_t)n) : publish_to_all(e, &m, headers, (size_t)n);
	e->counters.refused += err < 0;
	return err;
}

int engine_nats_store(struct engine *e, const struct engine_message *given, struct bytes id, struct engine_store *s)
{
	struct engine_message m = bounded(given);
	struct nats_header headers[HEADERS_MAX + 1];
	int n, err;

	buf_clear(&e->id);
	if (nats_name_value(&e->id, id) < 0)
		return -ENOMEM;
	id = (struct bytes){ buf_data(&e->id), buf_len(&e->id) };
	n = make_headers(e, &m, (struct nats_header){ BYTES(NATS_MSG_ID), id }, headers);
	buf_clear(&e->name);
	err = n < 0 ? n
	            : nats_name_destination(
	                  &e->name, e->settings.prefix, NATS_KEPT, m.destination, e->settings.separator);
	return err ? err
	           : nats_history_store(&e->history,
	                 &(struct nats_message){ .subject = { buf_data(&e->name), buf_len(&e->name) },
	                     .headers = headers,
	                     .header_count = (size_t)n,
	                     .payload = m.body },
	                 s);
}
