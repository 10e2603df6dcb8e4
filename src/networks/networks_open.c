/*
 * networks/networks_open.c - a session opens: how it is to go about the network of its client, and
 * what that tells of the attempt before; see networks.h.
 */
#include "networks/networks_private.h"

#define REFUSALS 2 /* in a row, and nothing else in between */

/* Of the scores of his network, or of his own. Who is refused comes by something else; who does not
 * has nothing else, and is taken if his WebSocket proves itself. */
static bool is_refused(struct networks *all, const struct network_settings *settings,
    const struct network_visit *v, const struct network *scores)
{
	bool refused = network_refuses_websocket(scores, settings, false);
	struct network_key key = network_key_of_client(v->client);
	struct network_look look = network_look_begin(all, settings, &key, refused, v->now_ms);

	if (look.row && network_refuses_websocket(&look.row->scores, settings, true))
		refused = true;
	if (refused && look.row && look.row->refusals == REFUSALS)
		refused = false;
	else if (refused && look.row)
		look.row->refusals++;
	network_look_end(look);
	return refused;
}

static void note_other_way(
    struct networks *all, const struct network_settings *settings, const struct network_visit *v)
{
	struct network_key key = network_key_of_client(v->client);
	struct network_look look = network_look_begin(all, settings, &key, false, v->now_ms);

	if (look.row)
		look.row->refusals = 0;
	network_look_end(look);
}

/* Where WebSockets have failed. */
static bool is_turned_away(struct networks *all, const struct network_settings *settings,
    const struct network_visit *v, const struct network *scores)
{
	if (!network_has_failures(scores))
		return false;
	if (v->way == NETWORK_BY_WEBSOCKET)
		return is_refused(all, settings, v, scores);
	note_other_way(all, settings, v);
	return false;
}

static bool gave_up(struct networks *all, const struct network_visit *v, bool is_short,
    struct network_attempt *before)
{
	struct network_attempt now = { .way = v->way, .is_short = is_short };
	struct network_key key = network_key_of_attempt(v->client);

	if (v->session.n <= sizeof(now.id)) {
		now.id_len = (uint8_t)v->session.n;
		bytes_put(now.id, v->session);
	}
	return network_attempts_begin(
	    all->attempts, network_key_text(&key), &now, v->now_ms, before);
}

static void learn_of_attempt(struct networks *all, const struct network_settings *settings,
    const struct network_visit *v, const struct network_attempt *before)
{
	if (before->way == NETWORK_BY_WEBSOCKET)
		networks_learn(all, settings, v->client, NETWORK_WEBSOCKET_SILENT, v->now_ms);
	else if (before->way == NETWORK_BY_STREAM && !before->is_short)
		networks_learn(all, settings, v->client, NETWORK_STREAM_HELD, v->now_ms);
}

/* As is chosen, whatever is known. */
static struct network_policy without_adapting(const struct network_settings *settings)
{
	struct network_settings choices = *settings;

	choices.adapts = false;
	return network_policy(&(struct network){ 0 }, &choices);
}

/* Who has no other transport to take is not served worse than he could be. */
static struct network_policy without_fallback(
    const struct network_settings *settings, unsigned rung)
{
	struct network_policy p = without_adapting(settings);

	p.rung = rung & NETWORK_RUNG_MASK;
	return p;
}

static enum network_answer answer_to(struct networks *all, const struct network_settings *settings,
    const struct network_visit *v, struct network_policy *policy, struct network_attempt *before)
{
	struct network scores = { 0 };
	struct network_key key = network_key_of_block(v->client);
	struct network_look look;

	if (!settings->adapts || key.n == 0) {
		*policy = without_adapting(settings);
		return NETWORK_WELCOME;
	}
	look = network_look_begin(all, settings, &key, false, v->now_ms);
	if (look.row)
		scores = look.row->scores;
	network_look_end(look);
	*policy = network_policy(&scores, settings);
	if (v->client->number == 0) {
		*policy = without_fallback(settings, policy->rung);
		return NETWORK_WELCOME;
	}
	if (is_turned_away(all, settings, v, &scores))
		return NETWORK_REFUSED;
	if (!gave_up(all, v, policy->is_short, before))
		return NETWORK_WELCOME;
	learn_of_attempt(all, settings, v, before);
	policy->is_short = settings->short_streams != NETWORK_NEVER;
	policy->is_proved = settings->prove != NETWORK_NEVER;
	return NETWORK_GAVE_UP;
}

static void note_refused(
    struct networks *all, const struct network_settings *settings, const struct network_visit *v)
{
	struct network_key key = network_key_of_attempt(v->client),
	                   of_block = network_key_of_block(v->client);
	struct network_look look = network_look_begin(all, settings, &of_block, false, v->now_ms);
	struct network_story *story =
	    look.row ? network_stories_get(&look.row->stories, network_client_browser(v->client))
	             : NULL;

	if (story)
		story->refused++;
	network_look_end(look);
	network_attempts_refused(all->attempts, network_key_text(&key), v->now_ms);
}

static enum network_service service_of(
    const struct network_visit *v, struct network_policy policy, enum network_answer answer)
{
	if (answer == NETWORK_REFUSED)
		return NETWORK_SERVICE_NOT_SERVED;
	if (v->way == NETWORK_BY_WEBSOCKET && policy.is_proved)
		return NETWORK_SERVICE_PROVED;
	if (v->way == NETWORK_BY_STREAM && policy.is_short)
		return NETWORK_SERVICE_SHORT_STREAM;
	return NETWORK_SERVICE_AS_USUAL;
}

enum network_answer networks_open(struct networks *all, const struct network_settings *settings,
    const struct network_visit *v, struct network_policy *policy, struct network_attempt *before)
{
	enum network_answer answer = answer_to(all, settings, v, policy, before);

	if (answer == NETWORK_REFUSED)
		note_refused(all, settings, v);
	network_count(&all->tally.served[service_of(v, *policy, answer)]);
	return answer;
}
