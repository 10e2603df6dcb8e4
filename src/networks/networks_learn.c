/*
 * networks/networks_learn.c - what is seen of sessions while they live, and as they end, is
 * evidence; see networks.h.
 */
#include "base/log.h"
#include "networks/networks_private.h"

static void say_change(
    const struct network_entry *row, const char *sentence, enum network_evidence why)
{
	char text[ADDR_TEXT_MAX];

	log_info_limited(sentence,
	    LOG_STR("network", visitor_print((struct bytes){ row->key, row->key_len }, text)),
	    LOG_STR("evidence", network_evidence_word(why)));
}

static void learn_of_block(
    struct network_entry *row, const struct network_settings *settings, enum network_evidence what)
{
	bool held = network_holds(&row->scores),
	     refused = network_refuses_websocket(&row->scores, settings, false), is_so;

	network_learn(&row->scores, what);
	is_so = network_holds(&row->scores);
	if (is_so != held)
		say_change(row,
		    is_so ? "a network holds streams back: they are short there"
		          : "a network lets streams pass: they are long there",
		    what);
	is_so = network_refuses_websocket(&row->scores, settings, false);
	if (is_so != refused)
		say_change(row,
		    is_so ? "a network breaks WebSockets: they are refused there"
		          : "a network lets WebSockets pass: they are taken there",
		    what);
}

static bool is_failure(enum network_evidence what)
{
	return what == NETWORK_WEBSOCKET_SILENT || what == NETWORK_WEBSOCKET_BLACK;
}

/* Of a client there is a row only once something has failed; whether it is the first that did of
 * late. */
static bool learn_of_client(struct networks *all, const struct network_settings *settings,
    const struct network_client *client, enum network_evidence what, uint64_t now_ms)
{
	struct network_key key = network_key_of_client(client);
	struct network_look look =
	    network_look_begin(all, settings, &key, is_failure(what), now_ms);
	bool is_first = look.row && !network_has_failures(&look.row->scores);

	if (look.row)
		network_learn(&look.row->scores, what);
	network_look_end(look);
	return is_first;
}

/* `row` may be NULL; its shard is locked. */
static void count(struct networks *all, struct network_entry *row,
    const struct network_client *client, enum network_evidence what)
{
	enum network_browser browser = network_client_browser(client);
	struct network_story *story = row ? network_stories_get(&row->stories, browser) : NULL;

	network_count(&all->tally.of[browser].evidence[what]);
	if (story)
		story->evidence[what]++;
}

void networks_learn(struct networks *all, const struct network_settings *settings,
    const struct network_client *client, enum network_evidence what, uint64_t now_ms)
{
	struct network_key key = network_key_of_block(client);
	bool has_failures, is_first;
	struct network_look look;

	if (!settings->adapts || key.n == 0 || client->number == 0)
		return;
	/* Who fails again is one client all the same */
	is_first = !is_failure(what) || learn_of_client(all, settings, client, what, now_ms);
	look = network_look_begin(all, settings, &key, true, now_ms);
	count(all, look.row, client, what);
	has_failures = look.row && network_has_failures(&look.row->scores);
	if (look.row && is_first)
		learn_of_block(look.row, settings, what);
	network_look_end(look);
	if (has_failures && what == NETWORK_WEBSOCKET_SPEAKS)
		learn_of_client(all, settings, client, what, now_ms);
}

void networks_stripped(struct networks *all, const struct network_settings *settings,
    const struct network_client *client, uint64_t now_ms)
{
	struct network_key key = network_key_of_attempt(client);

	if (!settings->adapts || key.n == 0 || client->number == 0)
		return;
	networks_learn(all, settings, client, NETWORK_WEBSOCKET_STRIPPED, now_ms);
	network_attempts_refused(all->attempts, network_key_text(&key), now_ms);
}

static void count_reached(struct networks *all, struct network_entry *row,
    const struct network_client *client, unsigned transport, uint32_t delay_ms)
{
	enum network_browser browser = network_client_browser(client);
	struct network_story *story = row ? network_stories_get(&row->stories, browser) : NULL;

	if (transport < NETWORK_TRANSPORTS)
		network_count(&all->tally.of[browser].reached[transport]);
	if (story)
		network_story_reached(story, transport, delay_ms);
}

void networks_said(struct networks *all, const struct network_client *client, uint64_t now_ms)
{
	struct network_key key = network_key_of_attempt(client);

	if (client->number)
		network_attempts_said(all->attempts, network_key_text(&key), now_ms);
}

int64_t networks_heard(struct networks *all, const struct network_client *client)
{
	struct network_key key = network_key_of_attempt(client);

	if (client->number == 0)
		return -1;
	return network_attempts_heard(all->attempts, network_key_text(&key));
}

void networks_reached(struct networks *all, const struct network_settings *settings,
    const struct network_client *client, unsigned transport, int64_t delay_ms, uint64_t now_ms)
{
	struct network_key key = network_key_of_block(client);
	struct network_look look;

	if (!settings->adapts || client->number == 0 || key.n == 0)
		return;
	look = network_look_begin(all, settings, &key, true, now_ms);
	count_reached(all, look.row, client, transport, delay_ms < 0 ? 0 : (uint32_t)delay_ms);
	network_look_end(look);
}

void networks_silence(struct networks *all, const struct network_settings *settings,
    const struct network_client *client, enum network_silence_end end,
    struct network_policy *policy, uint64_t now_ms)
{
	struct network_key key = network_key_of_block(client);
	struct network_look look;

	if ((policy->rung == NETWORK_RUNG_TOP && !policy->is_trial) || key.n == 0)
		return;
	look = network_look_begin(all, settings, &key, true, now_ms);
	if (end == NETWORK_WAS_CUT)
		count(all, look.row, client, NETWORK_SILENCE_CUT);
	else if (end == NETWORK_OUTLASTED)
		count(all, look.row, client, NETWORK_SILENCE_SURVIVED);
	if (look.row)
		network_silence(&look.row->scores, settings, end, policy);
	network_look_end(look);
}
