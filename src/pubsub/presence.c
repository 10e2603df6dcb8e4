/*
 * pubsub/presence.c - who is at a destination, for clients: a SUBSCRIBE to it makes one present,
 * one to "/presence" and it brings who is there, then who comes and who goes. The broker counts
 * (broker/broker_presence.c); here that is put into words, and who is silent is taken for gone.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "pubsub/pubsub.h"
#include "server/json_text.h"

#define SILENT_AFTER 2   /* intervals of heart-beats */
#define LOOKS        4   /* in each, for whether a silent client was heard meanwhile */
#define COST_NAME    100 /* nanoseconds, of one in a message */

/* --- in words ---------------------------------------------------------------------- */

static json_t *list(const struct bytes *names, size_t count)
{
	json_t *all = json_array();

	sockjs_spend(count * COST_NAME);
	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(all, json_stringn(names[i].p, names[i].n)) < 0) {
			json_decref(all);
			return NULL;
		}
	return all;
}

static json_t *describe(const struct broker_roll *roll)
{
	json_t *joined = list(roll->joined, roll->joined_count);
	json_int_t count = (json_int_t)roll->count, anonymous = (json_int_t)roll->anonymous;

	if (roll->is_whole)
		return json_pack("{s:o,s:I,s:I,s:b}", "users", joined, "count", count, "anonymous",
		    anonymous, "more", roll->is_cut);
	return json_pack("{s:o,s:o,s:I,s:I,s:b}", "joined", joined, "left",
	    list(roll->left, roll->left_count), "count", count, "anonymous", anonymous, "more",
	    roll->is_cut);
}

static struct published *publish(
    struct buf *scratch, const struct broker_roll *roll, const struct buf *body)
{
	const struct stomp_header headers[] = {
		{ BYTES("presence"), roll->is_whole ? BYTES("state") : BYTES("change") },
		{ BYTES("content-type"), BYTES("application/json") },
	};

	return published_new(scratch, roll->destination, headers, 2,
	    (struct bytes){ buf_data(body), buf_len(body) });
}

struct broker_message *presence_say(void *broker, const struct broker_roll *roll)
{
	json_t *object = describe(roll);
	struct buf body = BUF_INIT;
	struct published *p = NULL;

	if (object && json_text_dump(object, JSON_COMPACT, &body) == 0)
		p = publish(&pubsub_here(broker)->scratch, roll, &body);
	json_decref(object);
	buf_fini(&body);
	return p ? &p->base : NULL;
}

/* --- who wants to know --------------------------------------------------------------- */

/* Behind "/presence"; empty if it does not begin so. */
static struct bytes subject_of(struct bytes destination)
{
	struct bytes prefix = BYTES(BROKER_PRESENCE);

	if (destination.n <= prefix.n || memcmp(destination.p, prefix.p, prefix.n) != 0)
		return (struct bytes){ 0 };
	return (struct bytes){ destination.p + prefix.n, destination.n - prefix.n };
}

bool presence_is_said(const struct sockjs_broker *b, struct bytes destination)
{
	struct bytes subject = b->presence_count ? subject_of(destination) : (struct bytes){ 0 };

	return subject.n > 0 && broker_has_presence(b->topics, subject);
}

/* In the part of the client, which may have gone. */
static void on_state(void *arg, struct broker_message *const *messages, size_t count, bool is_there)
{
	if (!is_there)
		gate_fail(arg);
	else if (gate_open(arg, messages, count))
		gate_settle(arg, NULL, 0);
}

/* The subscription's label is one with a gate. */
enum stomp_error presence_subscribe(struct sockjs_client *c, struct subscription *s,
    const struct stomp_frame *f, struct bytes destination)
{
	struct gate *g = gate_shut(c, s, f);
	int err;

	if (!g)
		return STOMP_E_INTERNAL;
	err = broker_subscribe(c->member, destination, g, (uintptr_t)s->label, &s->topic);
	if (err == 0)
		err = broker_call_roll(
		    c->part->topics, subject_of(destination), on_state, gate_free, g);
	if (err == 0)
		return STOMP_PENDING;
	gate_free(g);
	return STOMP_E_INTERNAL;
}

/* --- who is there ---------------------------------------------------------------------- */

int presence_attend(struct sockjs_client *c, struct subscription *s)
{
	int attends = broker_attend(s->topic);

	if (attends == 1 && !c->attends) {
		c->attends = true;
		client_arm(c);
	}
	return attends < 0 ? attends : 0;
}

static void set_silent(struct sockjs_client *c, bool is_silent)
{
	if (broker_set_silent(c->member, is_silent) == 0)
		c->is_silent = is_silent;
}

void presence_heard(struct sockjs_client *c)
{
	if (c->member)
		set_silent(c, false);
}

/* Long before it is taken for dead, for others want to know. */
uint32_t presence_look(struct sockjs_client *c, uint64_t heard_ago)
{
	uint64_t interval = c->conn.receive_every_ms, patience = interval * SILENT_AFTER;

	if (interval == 0 || !c->member)
		return 0;
	set_silent(c, heard_ago >= patience);
	return (uint32_t)(c->is_silent ? interval / LOOKS + 1 : patience - heard_ago);
}
