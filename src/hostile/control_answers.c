/*
 * hostile/control_answers.c - resources of the control address; see control_answers.h.
 */
#include "hostile/control_answers.h"

#include <errno.h>
#include <inttypes.h>

#include "base/text.h"
#include "hostile/conn.h"

/* --- JSON ----------------------------------------------------------------------------------- */

/* What is no UTF-8 becomes U+FFFD. */
static int add_char(struct buf *out, struct bytes text, size_t *used)
{
	unsigned char first = (unsigned char)text.p[0];
	uint32_t cp = first;
	unsigned len = first < 0x80 ? 1 : text_char(text.p, text.n, &cp);

	*used = len ? len : 1;
	if (first == '"' || first == '\\')
		return buf_printf(out, "\\%c", first);
	if (first < 0x20 || first == 0x7f)
		return buf_printf(out, "\\u%04x", first);
	if (len == 0 || text_is_surrogate(cp))
		return buf_add_str(out, "\\ufffd");
	return buf_add(out, text.p, len);
}

int control_add_string(struct buf *out, struct bytes text)
{
	int err = buf_add(out, "\"", 1);
	size_t used;

	for (; text.n > 0 && err == 0; text.p += used, text.n -= used)
		err = add_char(out, text, &used);
	return err < 0 ? err : buf_add(out, "\"", 1);
}

static int fail(struct control_answer *a, unsigned status, const char *sentence)
{
	a->status = status;
	a->type = "text/plain; charset=utf-8";
	buf_clear(&a->body);
	return buf_printf(&a->body, "%s\n", sentence);
}

/* --- rules ---------------------------------------------------------------------------------- */

static int print_rules(const struct proxy *p, struct control_answer *a)
{
	int err = 0;

	a->type = "text/plain; charset=utf-8";
	for (size_t i = 0; i < p->rules.count && err == 0; i++)
		err = buf_printf(&a->body, "%s\n", p->rules.rule[i]->text);
	return err;
}

static int take_rules(struct proxy *p, struct bytes text, bool replaces, struct control_answer *a)
{
	struct rule_error error;
	uint64_t now = loop_now(p->loop);
	int err;

	if (p->rules.count == 0)
		p->rules.given_ms = now;
	err = replaces ? rules_replace(&p->rules, text, now, &error)
	               : rules_add(&p->rules, text, &error);

	if (err == -ENOMEM)
		return err;
	if (err < 0) {
		fail(a, 400, "");
		buf_clear(&a->body);
		return buf_printf(
		    &a->body, "line %u, column %u: %s\n", error.line, error.column, error.sentence);
	}
	proxy_say(p, "rules were given", LOG_INT("rules", p->rules.count));
	proxy_rules_changed(p);
	return print_rules(p, a);
}

static int serve_rules(struct proxy *p, const struct control_request *r, struct control_answer *a)
{
	if (bytes_equal(r->method, BYTES("PUT")))
		return take_rules(p, r->body, true, a);
	if (bytes_equal(r->method, BYTES("POST")))
		return take_rules(p, r->body, false, a);
	if (bytes_equal(r->method, BYTES("DELETE"))) {
		rules_clear(&p->rules, loop_now(p->loop));
		proxy_say(p, "rules were taken away", LOG_INT("rules", 0));
		proxy_rules_changed(p);
	}
	return print_rules(p, a);
}

/* --- what can be seen ----------------------------------------------------------------------- */

static int print_description(const struct proxy *p, struct control_answer *a)
{
	struct buf *out = &a->body;
	int err = buf_add_str(out, "{\"program\":\"sockjs-hostile\",\"target\":");

	if (err == 0)
		err = control_add_string(out, bytes_of(p->settings.target_host));
	if (err == 0)
		err =
		    buf_printf(out, ",\"port\":%u,\"anywhere\":%s,\"seed\":%" PRIu64 ",\"rules\":[",
		        p->settings.target_port, p->settings.anywhere ? "true" : "false",
		        p->settings.seed);
	for (size_t i = 0; i < p->rules.count && err == 0; i++) {
		const struct rule *r = p->rules.rule[i];

		err = buf_printf(out,
		    "%s{\"rule\":%" PRIu64 ",\"used\":%" PRIu64 ",\"text\":", i ? "," : "", r->id,
		    r->used);
		if (err == 0)
			err = control_add_string(out, bytes_of(r->text));
		if (err == 0)
			err = buf_add_str(out, "}");
	}
	return err < 0
	           ? err
	           : buf_add_str(out, "],\"resources\":[\"/\",\"/rules\",\"/log\",\"/connections\","
	                              "\"/stats\",\"/cut\"]}\n");
}

static int print_side(struct buf *out, const char *name, const struct conn *c, enum way way)
{
	static const char *const states[] = { "none", "opening", "open", "closed" };
	const struct side *s = &c->side[way];

	return buf_printf(out,
	    ",\"%s\":{\"state\":\"%s\",\"bytes\":%" PRIu64 ",\"frames\":%" PRIu64
	    ",\"lost\":%" PRIu64 ",\"black\":%s,\"queued\":%zu,\"held\":%zu}",
	    name, states[s->state], c->at.total.bytes[way], c->at.total.frames[way], c->lost[way],
	    s->is_black ? "true" : "false", s->out.queued, s->out.held);
}

static int print_conn(struct buf *out, const struct proxy *p, const struct conn *c)
{
	int err = buf_printf(out,
	    "{\"connection\":%" PRIu64 ",\"phase\":\"%s\",\"requests\":%" PRIu64
	    ",\"age_ms\":%" PRIu64 ",\"idle_ms\":%" PRIu64
	    ",\"tunnel\":%s,\"forgotten\":%s,\"path\":",
	    c->at.connection, conn_phase_name(c->phase), c->at.requests,
	    loop_now(p->loop) - c->at.total.began_ms, loop_now(p->loop) - c->at.heard_ms,
	    c->is_tunnel ? "true" : "false", c->is_forgotten ? "true" : "false");

	if (err == 0)
		err = control_add_string(out, bytes_of(c->facts.path));
	if (err == 0)
		err = print_side(out, "client", c, FROM_CLIENT);
	if (err == 0)
		err = print_side(out, "server", c, FROM_SERVER);
	return err < 0 ? err : buf_add_str(out, "}");
}

static int print_conns(const struct proxy *p, struct control_answer *a)
{
	struct list *node;
	int err = buf_add_str(&a->body, "[");

	list_foreach (node, &p->conns) {
		if (err == 0 && node != p->conns.next)
			err = buf_add_str(&a->body, ",");
		if (err == 0)
			err = print_conn(&a->body, p, container_of(node, struct conn, node));
	}
	return err < 0 ? err : buf_add_str(&a->body, "]\n");
}

static int print_stats(const struct proxy *p, struct control_answer *a)
{
	const struct proxy_stats *s = &p->stats;

	return buf_printf(&a->body,
	    "{\"connections\":%" PRIu64 ",\"open\":%zu,\"requests\":%" PRIu64
	    ",\"malformed\":%" PRIu64 ",\"unreachable\":%" PRIu64 ",\"rules_acted\":%" PRIu64
	    ",\"cuts\":%" PRIu64 ",\"copies\":%" PRIu64 ",\"client\":{\"bytes\":%" PRIu64
	    ",\"frames\":%" PRIu64 ",\"lost_bytes\":%" PRIu64 ",\"lost_frames\":%" PRIu64
	    "},\"server\":{\"bytes\":%" PRIu64 ",\"frames\":%" PRIu64 ",\"lost_bytes\":%" PRIu64
	    ",\"lost_frames\":%" PRIu64 "}}\n",
	    s->connections, p->conn_count, s->requests, s->refused, s->failed, s->rules, s->cuts,
	    s->copies, s->bytes[0], s->frames[0], s->lost_bytes[0], s->lost_frames[0], s->bytes[1],
	    s->frames[1], s->lost_bytes[1], s->lost_frames[1]);
}

/* --- the query ------------------------------------------------------------------------------ */

/* The value of `name` in a query; no bytes: it is not there. */
static struct bytes query_value(struct bytes query, const char *name)
{
	size_t n = strlen(name);

	while (query.n > 0) {
		const char *end = memchr(query.p, '&', query.n);
		struct bytes part = { query.p, end ? (size_t)(end - query.p) : query.n };

		if (bytes_begin(part, name) && part.n > n && part.p[n] == '=')
			return (struct bytes){ part.p + n + 1, part.n - n - 1 };
		query.n -= part.n + (end != NULL);
		query.p += part.n + (end != NULL);
	}
	return (struct bytes){ NULL, 0 };
}

static int print_log(const struct proxy *p, struct bytes query, struct control_answer *a)
{
	struct bytes text = query_value(query, "after");
	uint64_t after = 0;

	if (text.p && !word_number(text, &after))
		return fail(a, 400, "'after' is the number of a line.");
	a->type = "application/jsonl";
	return deeds_print(&p->deeds, after, &a->body);
}

static int cut(struct proxy *p, struct bytes query, struct control_answer *a)
{
	struct bytes which = query_value(query, "connection"), text = query_value(query, "how");
	enum cut_how how = CUT_FIN;
	uint64_t number = 0;

	if (which.p && (!word_number(which, &number) || number == 0))
		return fail(a, 400, "'connection' is the number of a connection.");
	if (bytes_equal(text, BYTES("rst")))
		how = CUT_RST;
	else if (bytes_equal(text, BYTES("silent")))
		how = CUT_SILENT;
	else if (text.p && !bytes_equal(text, BYTES("fin")))
		return fail(a, 400, "'how' is fin, rst or silent.");
	return buf_printf(&a->body, "{\"cut\":%u}\n", proxy_cut(p, number, how));
}

/* --- which it is ------------------------------------------------------------------------------ */

static bool is_method(const struct control_request *r, const char *allowed)
{
	struct bytes list = bytes_of(allowed), one;

	while (list.n > 0) {
		const char *end = memchr(list.p, ' ', list.n);

		one = (struct bytes){ list.p, end ? (size_t)(end - list.p) : list.n };
		if (bytes_equal(one, r->method))
			return true;
		list.n -= one.n + (end != NULL);
		list.p += one.n + (end != NULL);
	}
	return false;
}

static const char *methods_of(struct bytes path)
{
	if (bytes_equal(path, BYTES("/rules")))
		return "GET PUT POST DELETE";
	if (bytes_equal(path, BYTES("/cut")))
		return "POST";
	if (bytes_equal(path, BYTES("/")) || bytes_equal(path, BYTES("/log")) ||
	    bytes_equal(path, BYTES("/connections")) || bytes_equal(path, BYTES("/stats")))
		return "GET";
	return NULL;
}

static int serve(struct proxy *p, const struct control_request *r, struct control_answer *a)
{
	if (bytes_equal(r->path, BYTES("/rules")))
		return serve_rules(p, r, a);
	if (bytes_equal(r->path, BYTES("/log")))
		return print_log(p, r->query, a);
	if (bytes_equal(r->path, BYTES("/connections")))
		return print_conns(p, a);
	if (bytes_equal(r->path, BYTES("/stats")))
		return print_stats(p, a);
	if (bytes_equal(r->path, BYTES("/cut")))
		return cut(p, r->query, a);
	return print_description(p, a);
}

int control_answer(
    struct proxy *p, const struct control_request *request, struct control_answer *answer)
{
	const char *methods = methods_of(request->path);

	*answer = (struct control_answer){ .status = 200, .type = "application/json" };
	if (!methods)
		return fail(
		    answer, 404, "There are /, /rules, /log, /connections, /stats and /cut.");
	if (!is_method(request, methods))
		return fail(answer, 405, "This method has no meaning here.");
	return serve(p, request, answer);
}
