/*
 * engine/nats_history_watch.c - looks after the stream every few seconds: whether it is there and led, and whether
 * something of it may have been lost on its way; see nats_history.h.
 *
 * What is republished comes at most once. It is lost where a connection between servers of a cluster breaks, or with
 * the server that led the stream. Most of that is found when the next message of its destination comes; of a last
 * one nobody would hear. But whatever loses messages leaves a trace: another leader, a server that tells of another
 * cluster than before, a question that is not answered. Then all topics look into the stream, as after a connection
 * was lost, from where all was well (`sound`), and once more when things have had time to settle. As long as nothing
 * of the kind happens, that costs one question.
 *
 * And when the stream has been quiet for a while, and its last message has not come: whether somebody here wants that
 * one is asked once.
 */
#include "engine/nats_history.h"

#include <errno.h>

#include "base/fnv.h"
#include "base/random.h"

#define LOOK_MS     3000
#define JITTER_MS   1000
#define SOON_MS     300
#define TIMEOUT_MS  2000
#define LOOKS_AFTER 2 /* a trace */
#define FAILURES    2 /* then it is not there */

static void look_in(struct nats_history *h, unsigned ms)
{
	timer_start(loop_timers(nats_client_loop(h->client)), &h->watch, ms + random_u64() % JITTER_MS);
}

/* Who leads it: a hash; 0: it says nothing, for it is alone. */
static uint64_t leader_of(const json_t *answer)
{
	const char *leader = json_string_value(json_object_get(json_object_get(answer, "cluster"), "leader"));

	return leader ? fnv1a(leader) : 0;
}

/* --- the last message of a quiet stream --------------------------------------------------------- */

static struct bytes subject_in(const json_t *answer)
{
	return bytes_of(json_string_value(json_object_get(json_object_get(answer, "message"), "subject")));
}

/* One that is gone, or cannot be had, is found with the next of its destination, as ever. */
static void on_message(struct nats_js *j, int err, const char *why, json_t *answer)
{
	struct nats_history *h = container_of(j, struct nats_history, look);

	(void)why;
	h->examined = h->looked;
	if (err == 0 && h->last < h->looked && h->on->is_wanted(h, subject_in(answer)))
		h->suspicions = LOOKS_AFTER;
	look_in(h, h->suspicions > 0 ? SOON_MS : LOOK_MS);
}

/* Whether it is being asked for. */
static bool examine(struct nats_history *h, uint64_t last)
{
	if (last != h->looked || last <= h->last || last <= h->examined)
		return false;
	return nats_history_get(h, &h->look, json_pack("{s:I}", "seq", (json_int_t)last), TIMEOUT_MS, on_message) == 0;
}

/* --- the stream ------------------------------------------------------------------------------------- */

/* Topics look for what is behind that; twice, for what was lost may not be there yet. */
static void check(struct nats_history *h, uint64_t last)
{
	if (h->suspicions == 0) {
		h->sound = h->looked;
		h->looked = last;
		return;
	}
	if (last > h->sound)
		h->on->suspect(h, h->sound);
	if (--h->suspicions == 0)
		h->sound = h->looked = last;
}

static void note_leader(struct nats_history *h, const json_t *answer)
{
	uint64_t leader = leader_of(answer);

	if (h->leader != leader && h->leader != 0)
		h->suspicions = LOOKS_AFTER;
	h->leader = leader;
}

static void take(struct nats_history *h, const json_t *answer)
{
	h->failures = 0;
	note_leader(h, answer);
	if (h->suspicions == 0 && examine(h, nats_history_last_of(answer)))
		return;
	check(h, nats_history_last_of(answer));
	look_in(h, LOOK_MS);
}

/* Without JetStream, or without a stream, nothing waits for what does not come. */
static bool is_final(int err)
{
	return err != -ETIMEDOUT && err != -ECONNRESET && err != -ENOMEM;
}

static void on_look(struct nats_js *j, int err, const char *why, json_t *answer)
{
	struct nats_history *h = container_of(j, struct nats_history, look);

	if (!h->is_up || !h->is_ready) /* others look into that */
		return;
	if (err == 0 && nats_history_epoch_of(answer) != h->epoch) {
		nats_history_lose(h, "the stream is another one");
	} else if (err == 0) {
		take(h, answer);
	} else {
		h->suspicions = LOOKS_AFTER;
		if (is_final(err) || ++h->failures >= FAILURES)
			nats_history_lose(h, why);
		else
			look_in(h, SOON_MS);
	}
}

static void on_watch(struct timer *t)
{
	struct nats_history *h = container_of(t, struct nats_history, watch);

	if (!h->is_up || !h->is_ready || h->look.request.client)
		return;
	if (nats_js_call(h->client, &h->look, "STREAM.INFO", h->name, NULL, NULL, TIMEOUT_MS, on_look) < 0)
		look_in(h, LOOK_MS);
}

void nats_history_suspect(struct nats_history *h)
{
	if (!h->is_ready)
		return;
	h->suspicions = LOOKS_AFTER;
	if (!h->look.request.client)
		look_in(h, SOON_MS);
}

void nats_watch_init(struct nats_history *h)
{
	timer_init(&h->watch, on_watch);
}

void nats_watch_begin(struct nats_history *h, const json_t *info, bool is_new)
{
	if (is_new) {
		h->sound = h->looked = nats_history_last_of(info);
		h->suspicions = 0;
		h->leader = h->examined = 0;
	}
	h->failures = 0;
	note_leader(h, info);
	look_in(h, h->suspicions > 0 ? SOON_MS : LOOK_MS);
}

void nats_watch_end(struct nats_history *h)
{
	timer_stop(loop_timers(nats_client_loop(h->client)), &h->watch);
	nats_js_cancel(&h->look);
}

uint64_t nats_history_sound(const struct nats_history *h)
{
	return h->suspicions > 0 && h->sound < h->last ? h->sound : h->last;
}
