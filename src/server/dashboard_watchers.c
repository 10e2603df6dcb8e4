/*
 * server/dashboard_watchers.c - who watches the dashboard, and who would like to.
 *
 * Who shows a certificate that is listed is in. A page cannot add headers to a WebSocket, so the
 * token is the first message; a page of another origin does not come so far. Who does not say it in
 * time is closed, who says another one is closed and counted as he would be for a command. What strangers can have is bounded: so many may
 * be about to say it, and one more makes the oldest go, so that nobody keeps an operator out.
 *
 * All watchers get one message, made and encoded once. Who is slow gets the next one when he has
 * taken the last: nothing piles up for him.
 */
#include <jansson.h>

#include "base/log.h"
#include "server/dashboard_private.h"
#include "server/handshake.h"
#include "session/session_record.h"

#define PENDING_MOST  64
#define WATCHERS_MOST 32
#define LOGIN_MS      10000

/* Closes that are ours, for the page to know what to do. */
enum {
	NOT_ALLOWED = 4401,
	NO_CERTIFICATE = 4403,
	TOO_LATE = 4408,
	TOO_MANY = 4429,
};

enum standing { PENDING, IN, SENT_AWAY };

struct watcher {
	struct list node; /* of the dashboard: pending, watchers, or leaving */
	struct sockjs_session *session;
	enum standing standing;
};

/* --- saying ----------------------------------------------------------------------- */

static void count_said(struct dashboard *d, size_t octets)
{
	d->own.messages_out++;
	d->own.bytes_out += octets;
}

/* So that the page need not guess whether there is one. */
static void ask_for_token(struct dashboard *d, struct watcher *w)
{
	static const char question[] = "{\"type\":\"token\"}";

	if (sockjs_send(w->session, question, sizeof(question) - 1) >= 0)
		count_said(d, sizeof(question) - 1);
}

static void say_hello(struct dashboard *d, struct watcher *w)
{
	struct buf text = BUF_INIT;

	if (dashboard_print_hello(d, &text) == 0 &&
	    sockjs_send(w->session, buf_data(&text), buf_len(&text)) >= 0)
		count_said(d, buf_len(&text));
	else
		sockjs_close(w->session, SOCKJS_CLOSE_INTERNAL_ERROR, NULL);
	buf_fini(&text);
}

void watchers_tell(struct dashboard *d, struct sockjs_prepared *p, size_t octets)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &d->watchers) {
		const struct watcher *w = container_of(pos, struct watcher, node);

		if (sockjs_buffered(w->session) <= octets && /* one that is under way */
		    sockjs_offer_prepared(w->session, p) >= 0)
			count_said(d, octets);
	}
}

static void send_away(struct list *watchers)
{
	struct list *pos;

	list_foreach (pos, watchers)
		sockjs_close(container_of(pos, struct watcher, node)->session,
		    SOCKJS_CLOSE_GOING_AWAY, "The configuration has changed");
}

void watchers_send_away(struct dashboard *d)
{
	send_away(&d->pending);
	send_away(&d->watchers);
}

/* --- who comes in --------------------------------------------------------------------- */

/* Whatever it was, it is no more. */
static void leave(struct dashboard *d, struct watcher *w)
{
	if (w->standing == IN)
		d->watcher_count--;
	else if (w->standing == PENDING)
		d->pending_count--;
	list_remove(&w->node);
	list_append(&d->leaving, &w->node);
	w->standing = SENT_AWAY;
}

static void let_in(struct dashboard *d, struct watcher *w)
{
	if (d->watcher_count == WATCHERS_MOST) {
		leave(d, w);
		sockjs_close(w->session, TOO_MANY, "Too many watch already");
		return;
	}
	leave(d, w);
	list_remove(&w->node);
	list_append(&d->watchers, &w->node);
	d->watcher_count++;
	w->standing = IN;
	sockjs_set_timer(w->session, 0);
	say_hello(d, w);
	if (d->watcher_count == 1)
		dashboard_hurry(d);
}

static void refuse(struct dashboard *d, struct watcher *w, unsigned code, const char *reason)
{
	leave(d, w);
	http_refused(reactor_current()->base.http, HTTP_REFUSED_TOKEN, &w->session->client,
	    HTTP_REFUSED_FIELDS(LOG_STR("endpoint", d->feed->prefix), LOG_INT("code", code)));
	sockjs_close(w->session, code, reason);
}

static bool says_token(const struct dashboard *d, const struct sockjs_message *m)
{
	json_t *said = json_loadb(m->data, m->len, JSON_REJECT_DUPLICATES, NULL),
	       *token = json_object_get(said, "token");
	bool is_right = d->operators && json_is_string(token) &&
	                operators_know_token(d->operators,
	                    (struct bytes){ json_string_value(token), json_string_length(token) });

	json_decref(said);
	return is_right;
}

/* The one who has waited longest is the least likely to be an operator. */
static void make_room(struct dashboard *d)
{
	struct watcher *oldest;

	if (d->pending_count <= PENDING_MOST)
		return;
	oldest = container_of(list_first(&d->pending), struct watcher, node);
	leave(d, oldest);
	session_cut(&oldest->session->base, CLOSE_TOO_MUCH_HELD);
}

/* --- the application -------------------------------------------------------------------- */

/* Stands for a watcher whose certificate was listed as he came, until he is open. */
static char certified;

/* Once he is open his connection may be another reactor's. */
static int on_handshake(struct sockjs_handshake *h, void *app)
{
	struct dashboard *d = app;
	const struct http_trust *trust = &d->reactor->config->trust;

	dashboard_follow_config(d);
	if (d->operators && h->t->http &&
	    operators_judge_certificate(d->operators, trust, h->t->http) == OPERATOR_KNOWN)
		sockjs_handshake_set_user(h, &certified);
	return 0;
}

static void begin(struct dashboard *d, struct watcher *w, bool is_certified)
{
	if (!d->operators || is_certified) {
		let_in(d, w);
	} else if (d->operators->token) {
		ask_for_token(d, w);
		make_room(d);
	} else {
		refuse(d, w, NO_CERTIFICATE,
		    "A certificate of internal.client_subjects or internal.client_fingerprints is "
		    "needed");
	}
}

static void on_open(struct sockjs_session *s, void *app)
{
	struct dashboard *d = app;
	struct watcher *w = mem_zalloc(sizeof(*w));
	bool is_certified = sockjs_user(s) == &certified;

	sockjs_set_user(s, NULL);
	if (!w || sockjs_set_timer(s, LOGIN_MS) < 0) {
		mem_free(w);
		sockjs_close(s, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
		return;
	}
	w->session = s;
	sockjs_set_user(s, w);
	list_append(&d->pending, &w->node);
	d->pending_count++;
	begin(d, w, is_certified);
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *app)
{
	struct dashboard *d = app;
	struct watcher *w = sockjs_user(s);

	d->own.messages_in++;
	d->own.bytes_in += m->len;
	if (!w || w->standing != PENDING)
		return;
	if (says_token(d, m))
		let_in(d, w);
	else
		refuse(d, w, NOT_ALLOWED, "The token of internal.token is needed");
}

static void on_timer(struct sockjs_session *s, void *app)
{
	(void)app;
	sockjs_close(s, TOO_LATE, "The token did not come in time");
}

static void on_close(struct sockjs_session *s, unsigned code, const char *reason, void *app)
{
	struct dashboard *d = app;
	struct watcher *w = sockjs_user(s) == &certified ? NULL : sockjs_user(s);

	(void)reason;
	if (s->base.opened) {
		d->own.closed[close_code_row(code)]++;
		d->own.all_closed++;
	}
	if (!w)
		return;
	leave(d, w);
	list_remove(&w->node);
	sockjs_set_user(s, NULL);
	mem_free(w);
}

const struct sockjs_callbacks watchers_callbacks = {
	.handshake = on_handshake,
	.open = on_open,
	.message = on_message,
	.timer = on_timer,
	.close = on_close,
};

/* --- what is its own ---------------------------------------------------------------------- */

static void take_away(uint64_t *from, uint64_t n)
{
	*from -= n < *from ? n : *from;
}

static void take_away_open(const struct list *watchers, struct session_counters *c)
{
	const struct list *pos;

	list_foreach (pos, watchers) {
		const struct session *s =
		    &container_of(pos, const struct watcher, node)->session->base;

		if (!s->opened)
			continue;
		take_away(&c->now, 1);
		take_away(&c->opened, 1);
	}
}

void dashboard_take_away_own(const struct dashboard *d, struct session_counters *c)
{
	const struct own_figures *own = &d->own;

	take_away_open(&d->pending, c);
	take_away_open(&d->watchers, c);
	take_away_open(&d->leaving, c);
	take_away(&c->opened, own->all_closed);
	for (unsigned i = 0; i < CLOSE_CODE_ROWS; i++)
		take_away(&c->closed[i], own->closed[i]);
	take_away(&c->messages_in, own->messages_in);
	take_away(&c->bytes_in, own->bytes_in);
	take_away(&c->messages_out, own->messages_out);
	take_away(&c->bytes_out, own->bytes_out);
}
