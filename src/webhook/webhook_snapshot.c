/*
 * webhook/webhook_snapshot.c - questions that are under way, for another process; see webhook.h.
 *
 * Whoever goes on asks again, word for word and with the same number: connections of libcurl cannot be handed over. The time
 * for it begins anew, as does the count of repetitions.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/snapshot.h"
#include "webhook/webhook_private.h"

/* Of somebody who has left: no matter what is answered. */
struct farewell {
	struct webhook_call call;
};

static bool is_id(const char *id)
{
	return id && strlen(id) == WEBHOOK_ID_LEN && strspn(id, "0123456789abcdef") == WEBHOOK_ID_LEN;
}

static void read_call(struct webhook *w, struct webhook_call *call, enum webhook_event event,
    struct bytes body, struct snapshot *s, webhook_answered_fn answered)
{
	json_t *json = body.p ? json_loadb(body.p, body.n, JSON_ALLOW_NUL, NULL) : NULL;
	const char *name = json_string_value(json_object_get(json, "event")),
	           *id = json_string_value(json_object_get(json, "id"));
	int err = 0;

	if (snapshot_check(s, name && strcmp(name, webhook_event_name(event)) == 0 && is_id(id)))
		err = webhook_ask_again(w, call, event, body, id, answered);
	if (err < 0)
		snapshot_fail(s, err);
	json_decref(json);
}

void webhook_call_snapshot(struct webhook *w, struct webhook_call *call, struct snapshot *s,
    webhook_answered_fn answered)
{
	enum webhook_event event = s->is_reading ? 0 : call->event;
	struct bytes body = { NULL, 0 };

	if (!snapshot_bool(s, !s->is_reading && call->part))
		return;
	if (!s->is_reading)
		body = call->http.body;
	event = (enum webhook_event)snapshot_below(s, event, WEBHOOK_EVENT_ROWS);
	body = snapshot_bytes(s, body);
	if (s->is_reading)
		read_call(w, call, event, body, s, answered);
}

/* --- those of nobody -------------------------------------------------------------------- */

static void on_farewell(struct webhook_call *call, const struct webhook_answer *a)
{
	(void)a;
	mem_free(container_of(call, struct farewell, call));
}

static void write_farewells(struct webhook *w, struct snapshot *s)
{
	const struct webhook_part *part = webhook_find_part(w);
	struct list *pos;

	if (part)
		list_foreach (pos, &part->calls) {
			struct webhook_call *call = container_of(pos, struct webhook_call, node);

			if (call->event != WEBHOOK_DISCONNECT)
				continue;
			snapshot_more(s, true);
			webhook_call_snapshot(w, call, s, NULL);
		}
	snapshot_more(s, false);
}

static void read_farewell(struct webhook *w, struct snapshot *s)
{
	struct farewell *f = mem_zalloc(sizeof(*f));

	if (!f) {
		snapshot_fail(s, -ENOMEM);
		return;
	}
	webhook_call_snapshot(w, &f->call, s, on_farewell);
	if (!f->call.part)
		mem_free(f);
}

void webhook_farewells_snapshot(struct webhook *w, struct snapshot *s)
{
	if (!snapshot_enter(s, "BYES", 1))
		return;
	if (s->is_reading)
		while (snapshot_more(s, false))
			read_farewell(w, s);
	else
		write_farewells(w, s);
	snapshot_leave(s);
}
