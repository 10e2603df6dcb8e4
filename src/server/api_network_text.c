/*
 * server/api_network_text.c - one network as it is told by `networks`: what is made of it, the scores that
 * this follows from, and what has become of its clients, all together and by browser.
 *
 * Nothing of it is of the clients' making but numbers: a prefix has no quotes and no backslashes, and
 * the other texts are ours.
 */
#include "server/api_networks.h"
#include "session/session_record.h"

/* --- taking ------------------------------------------------------------------------- */

/* Of what goes wrong there, whichever way; it fades as the scores do. */
float network_trouble(const struct network *scores)
{
	float sum = scores->held + scores->silent;

	for (unsigned i = 0; i < NETWORK_RUNGS; i++)
		sum += scores->rungs[i].cut;
	return sum;
}

void network_row_take(struct network_row *row, const struct server_endpoint *ep,
    const struct network_view *view)
{
	*row = (struct network_row){
		.endpoint = ep,
		.trouble = network_trouble(view->scores),
		.key_len = (uint8_t)view->key.n,
		.scores = *view->scores,
	};
	bytes_put(row->key, view->key);
	for (unsigned i = 0; i < NETWORK_BROWSER_ROWS; i++)
		if (view->stories->of[i])
			row->stories[i] = *view->stories->of[i];
}

/* --- one story ------------------------------------------------------------------------ */

static int add_count(struct buf *out, const char *name, uint32_t count, const char **comma)
{
	int err = count ? buf_printf(out, "%s\"%s\":%u", *comma, name, count) : 0;

	*comma = count ? "," : *comma;
	return err;
}

static int add_reached(struct buf *out, const struct network_story *story)
{
	const struct session_reactor *r = &reactor_current()->base.sessions;
	const char *name, *comma = "";
	int err = buf_add_str(out, "\"reached\":{");

	for (unsigned i = 0; i < NETWORK_TRANSPORTS && err == 0; i++)
		if ((name = session_transport_name(r, i)) != NULL)
			err = add_count(out, name, story->reached[i], &comma);
	return err < 0 ? err : buf_add_str(out, "}");
}

static bool is_failure(enum network_evidence what)
{
	return what == NETWORK_STREAM_HELD || what == NETWORK_WEBSOCKET_SILENT ||
	       what == NETWORK_WEBSOCKET_BLACK || what == NETWORK_WEBSOCKET_STRIPPED || what == NETWORK_SILENCE_CUT;
}

/* The causes are guessed, from what was seen of them. */
static int add_failures(struct buf *out, const struct network_story *story)
{
	const char *comma = "";
	int err = buf_add_str(out, ",\"failures\":{");

	for (unsigned i = 0; i < NETWORK_EVIDENCE_ROWS && err == 0; i++)
		if (is_failure((enum network_evidence)i))
			err = add_count(out, network_evidence_word((enum network_evidence)i),
			    story->evidence[i], &comma);
	return err < 0 ? err : buf_printf(out, "},\"refused\":%u", story->refused);
}

static int add_median(struct buf *out, const struct network_story *story)
{
	unsigned row = network_story_median(story);

	if (row >= NETWORK_DELAY_BEYOND)
		return buf_printf(out, ",\"median_ms\":null");
	return buf_printf(out, ",\"median_ms\":%u", network_delay_bound(row));
}

/* How many there were up to each bound, those below not counted again: [bound or null, count]. */
static int add_delays(struct buf *out, const struct network_story *story)
{
	const char *comma = "";
	int err = buf_add_str(out, ",\"delays\":[");

	for (unsigned i = 0; i < NETWORK_DELAY_ROWS && err == 0; i++) {
		if (story->delays[i] == 0)
			continue;
		if (i == NETWORK_DELAY_BEYOND)
			err = buf_printf(out, "%s[null,%u]", comma, story->delays[i]);
		else
			err = buf_printf(
			    out, "%s[%u,%u]", comma, network_delay_bound(i), story->delays[i]);
		comma = ",";
	}
	return err < 0 ? err : buf_add_str(out, "]");
}

static int add_story(struct buf *out, const struct network_story *story)
{
	int err = add_reached(out, story);

	err = err ? err : add_failures(out, story);
	err = err ? err : add_median(out, story);
	return err ? err : add_delays(out, story);
}

/* --- all of it ------------------------------------------------------------------------- */

/* A block is made as soon as something is counted there. */
static bool has_any(const struct network_story *story)
{
	static const struct network_story none;

	return memcmp(story, &none, sizeof(none)) != 0;
}

static int add_browsers(struct buf *out, const struct network_row *row)
{
	const char *comma = "";
	int err = buf_add_str(out, ",\"browsers\":[");

	for (unsigned i = 0; i < NETWORK_BROWSER_ROWS && err == 0; i++) {
		if (!has_any(&row->stories[i]))
			continue;
		err = buf_printf(out, "%s{\"browser\":\"%s\",", comma,
		    network_browser_word((enum network_browser)i));
		err = err ? err : add_story(out, &row->stories[i]);
		err = err ? err : buf_add_str(out, "}");
		comma = ",";
	}
	return err < 0 ? err : buf_add_str(out, "]");
}

/* What a session that opens now would get. */
static int add_policy(struct buf *out, const struct network_row *row)
{
	const struct network_settings *settings = &row->endpoint->networks;
	struct network_policy p = network_policy(&row->scores, settings);
	const char *websocket = p.is_proved ? "proved" : "taken";

	if (network_refuses_websocket(&row->scores, settings, false))
		websocket = "refused";
	return buf_printf(out, "\"streams\":\"%s\",\"websocket\":\"%s\",\"heartbeat_ms\":%u",
	    p.is_short ? "short" : "long", websocket, network_survives_ms(&row->scores, settings));
}

static int add_scores(struct buf *out, const struct network *n)
{
	return buf_printf(out,
	    ",\"scores\":{\"held\":%.2f,\"flows\":%.2f,\"silent\":%.2f,\"speaks\":%.2f},",
	    (double)n->held, (double)n->flows, (double)n->silent, (double)n->speaks);
}

int network_row_print(const struct network_row *row, struct buf *out)
{
	struct network_story all = { 0 };
	char network[ADDR_TEXT_MAX];
	int err = buf_printf(out, "{\"network\":\"%s\",\"endpoint\":\"%s\",",
	    visitor_print((struct bytes){ row->key, row->key_len }, network), row->endpoint->prefix);

	for (unsigned i = 0; i < NETWORK_BROWSER_ROWS; i++)
		network_story_add_up(&all, &row->stories[i]);
	err = err ? err : add_policy(out, row);
	err = err ? err : add_scores(out, &row->scores);
	err = err ? err : add_story(out, &all);
	err = err ? err : add_browsers(out, row);
	return err ? err : buf_add_str(out, "}");
}
