/*
 * doctor/doctor_answers.c - what is said to a client, and what can be said at once; see
 * doctor_private.h.
 */
#include "doctor/doctor_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"
#include "doctor/report.h"
#include "doctor/sight.h"
#include "server/json_text.h"

#define ERRORS_MOST  100
#define REPORTS_MOST 3

/* --- saying ------------------------------------------------------------------------------- */

void doctor_end(struct doctor_session *ds, unsigned code, const char *reason)
{
	ds->is_over = true;
	sockjs_close(ds->session, code, reason);
}

void doctor_end_without_memory(struct doctor_session *ds)
{
	doctor_end(ds, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
}

/* `"is":"echo","id":7,"at_ms":12`, behind a brace. */
int doctor_begin(const struct doctor_session *ds, struct buf *out, const char *is, int64_t id)
{
	int64_t at = (int64_t)(clock_now() - ds->opened);

	if (id < 0)
		return buf_printf(out, "{\"is\":\"%s\",\"id\":null,\"at_ms\":%" PRId64, is, at);
	return buf_printf(out, "{\"is\":\"%s\",\"id\":%" PRId64 ",\"at_ms\":%" PRId64, is, id, at);
}

/* `err` is that of what was written. */
void doctor_say(struct doctor_session *ds, struct buf *out, int err)
{
	int status = err < 0 ? -ENOMEM : buf_add_str(out, "}");

	if (status == 0)
		status = sockjs_send(ds->session, buf_data(out), buf_len(out));
	buf_fini(out);
	if (status == -ENOMEM) {
		doctor_end_without_memory(ds);
	} else if (status == SOCKJS_FULL) {
		ds->is_full = true;
		sockjs_pause(ds->session);
	}
}

/* What proxies and WebSockets compress would be less than it was. */
static void fill(char *room, size_t n)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t x = random_u32() | 1;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		room[i] = letters[x >> 26];
	}
}

int doctor_add_pad(struct buf *out, int64_t bytes)
{
	char *room = buf_add_str(out, ",\"pad\":\"") < 0 ? NULL : buf_reserve(out, (size_t)bytes + 1);

	if (!room)
		return -ENOMEM;
	fill(room, (size_t)bytes);
	buf_commit(out, (size_t)bytes);
	return buf_add_str(out, "\"");
}

void doctor_say_error(struct doctor_session *ds, int64_t id, const char *code, const char *sentence)
{
	struct buf out = BUF_INIT;
	json_t *text = json_string(sentence);
	int err = doctor_begin(ds, &out, "error", id);

	if (err == 0)
		err = buf_printf(&out, ",\"code\":\"%s\",\"message\":", code);
	if (err == 0)
		err = json_text_dump(text ? text : json_null(), JSON_COMPACT | JSON_ENCODE_ANY, &out);
	json_decref(text);
	doctor_say(ds, &out, err);
	if (++ds->errors >= ERRORS_MOST && !ds->is_over)
		doctor_end(ds, DOCTOR_NONSENSE, "Too many errors");
}

/* --- orders that have an answer at once --------------------------------------------------- */

void doctor_do_seen(struct doctor_session *ds, const struct order *o)
{
	struct buf out = BUF_INIT;
	time_t now = time(NULL);
	char text[24];
	struct tm tm;
	int err;

	if (!ds->sight) {
		doctor_say_error(ds, o->id, "no_memory", "Out of memory.");
		return;
	}
	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	err = doctor_begin(ds, &out, "seen", o->id);
	if (err == 0)
		err = buf_printf(&out, ",\"time\":\"%s\",", text);
	if (err == 0)
		err = buf_add_str(&out, ds->sight);
	doctor_say(ds, &out, err);
}

void doctor_do_echo(struct doctor_session *ds, const struct order *o, size_t octets)
{
	struct buf out = BUF_INIT;
	int err = doctor_begin(ds, &out, "echo", o->id);

	if (err == 0 && o->seq >= 0)
		err = buf_printf(&out, ",\"seq\":%" PRId64, o->seq);
	else if (err == 0)
		err = buf_add_str(&out, ",\"seq\":null");
	if (err == 0)
		err = buf_printf(&out, ",\"count\":%" PRId64 ",\"octets\":%zu", ds->count, octets);
	doctor_say(ds, &out, err < 0 ? err : doctor_add_pad(&out, o->bytes));
}

void doctor_do_stop(struct doctor_session *ds, const struct order *o)
{
	struct buf out = BUF_INIT;
	int stopped = ds->push.is_on + ds->silence.is_on, err;

	ds->push.is_on = ds->silence.is_on = false;
	err = doctor_begin(ds, &out, "stop", o->id);
	doctor_say(ds, &out, err < 0 ? err : buf_printf(&out, ",\"stopped\":%d", stopped));
}

static void say_kept(struct doctor_session *ds, const struct order *o, const char *network, bool kept)
{
	struct buf out = BUF_INIT;
	int err = doctor_begin(ds, &out, "report", o->id);

	if (err == 0)
		err = buf_printf(
		    &out, ",\"kept\":%s,\"network\":\"%s\"", kept ? "true" : "false", network);
	doctor_say(ds, &out, err);
}

static int keep(struct doctor_session *ds, const char *network, const json_t *report)
{
	const struct reporter who = {
		.network = network,
		.address = sockjs_remote(ds->session),
		.agent = ds->agent[0] ? ds->agent : NULL,
		.transport = sockjs_transport(ds->session),
	};
	int err = reports_add(&ds->doctor->reports, &who, report);

	ds->reports += err == 0;
	return err;
}

void doctor_do_report(struct doctor_session *ds, const struct order *o)
{
	char why[200], network[ADDR_TEXT_MAX];
	json_t *report = report_read(o->report, why, sizeof(why));
	bool has_room = ds->reports < REPORTS_MOST;
	int err = report ? 0 : why[0] ? -EINVAL : -ENOMEM;

	sight_network(sockjs_remote(ds->session), network);
	if (err == 0 && has_room)
		err = keep(ds, network, report);
	json_decref(report);
	if (err == -ENOMEM)
		doctor_say_error(ds, o->id, "no_memory", "Out of memory.");
	else if (err == -EMSGSIZE)
		doctor_say_error(ds, o->id, "wrong_member", "The report is too long.");
	else if (err < 0)
		doctor_say_error(ds, o->id, "wrong_member", why);
	else
		say_kept(ds, o, network, has_room);
}
