/*
 * server/access_log.c - a line for each HTTP request whose answer has ended (option
 * access_log.file).
 *
 * As text it is the combined format that tools of other servers read, and behind it what else is
 * known. No secret is in it: a session's id gives way to a digest, by which the lines of one
 * session are still found, and of a query there are only names. A WebSocket has its line when it is
 * answered with 101; what becomes of it is in the log of sessions.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/map.h"
#include "http/http_access.h"
#include "server/route.h"
#include "server/server_private.h"

#define TARGET_MOST 1024 /* octets of a target in a line */
#define TEXT_MOST   512  /* of any other text of the client's */

/* --- what is secret ----------------------------------------------------------------- */

/* Another one in each process, so that nobody can look for ids. */
static const struct map_seed *seed_of(const struct sockjs_server *server)
{
	return &server->log_seed;
}

/* The id in ".../SERVER/SESSION/TRANSPORT"; empty: there is none. */
static struct bytes session_id_of(struct bytes path)
{
	struct bytes tail = path_session_tail(path);

	if (!tail.n)
		return (struct bytes){ 0 };
	path_take_segment(&tail);
	return path_take_segment(&tail);
}

static void put_path(const struct sockjs_server *server, struct bytes path, struct buf *out)
{
	struct bytes id = session_id_of(path);

	if (!id.p) {
		buf_add(out, path.p, path.n);
		return;
	}
	buf_add(out, path.p, (size_t)(id.p - path.p));
	buf_printf(out, "~%08x", (unsigned)map_hash(seed_of(server), id));
	buf_add(out, id.p + id.n, (size_t)(path.p + path.n - (id.p + id.n)));
}

/* "?token=...&t=..." */
static void put_query(struct bytes query, struct buf *out)
{
	const char *sign = "?";

	while (query.n > 0) {
		const char *end = memchr(query.p, '&', query.n);
		size_t n = end ? (size_t)(end - query.p) : query.n;
		const char *equals = memchr(query.p, '=', n);

		buf_add_str(out, sign);
		/* What has no name could be anything */
		if (equals)
			buf_add(out, query.p, (size_t)(equals - query.p));
		buf_add_str(out, equals ? "=..." : "...");
		sign = "&";
		n += end != NULL;
		query = (struct bytes){ query.p + n, query.n - n };
	}
}

/* --- lines --------------------------------------------------------------------------- */

/* "31/Jan/2026:12:00:00 +0000", in words of no locale. */
static void print_time(char text[40])
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	snprintf(text, 40, "%02d/%.3s/%04d:%02d:%02d:%02d +0000", tm.tm_mday,
	    months + (size_t)tm.tm_mon * 3, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* With nothing that could end it, or a line, or reach a terminal: as other servers write it. */
static void put_quoted(struct buf *out, struct bytes text, size_t most)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = text.n < most ? text.n : most;

	if (n == 0) {
		buf_add_str(out, "\"-\"");
		return;
	}
	buf_add_str(out, "\"");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		char escaped[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };
		bool is_plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

		buf_add(out, is_plain ? (const char *)&text.p[i] : escaped, is_plain ? 1 : 4);
	}
	buf_add_str(out, n < text.n ? "...\"" : "\"");
}

/* Of the page that asks, without what its address may say of who reads it. */
static struct bytes page_of(struct bytes referer)
{
	const char *end = referer.n ? memchr(referer.p, '?', referer.n) : NULL;

	return (struct bytes){ referer.p, end ? (size_t)(end - referer.p) : referer.n };
}

static struct bytes in(const struct buf *b)
{
	return buf_len(b) ? (struct bytes){ buf_data(b), buf_len(b) } : (struct bytes){ 0 };
}

static void put_request(const struct http_access *a, struct bytes target, struct buf *out)
{
	struct buf all = BUF_INIT;

	if (a->method.n) {
		buf_add(&all, a->method.p, a->method.n < 32 ? a->method.n : 32);
		buf_add_str(&all, " ");
		buf_add(&all, target.p, target.n < TARGET_MOST ? target.n : TARGET_MOST);
		buf_add_str(&all, a->is_1_0 ? " HTTP/1.0" : " HTTP/1.1");
	}
	put_quoted(out, in(&all), 2 * TARGET_MOST);
	buf_fini(&all);
}

static const char *reason_of(const struct http_access *a)
{
	return a->why == HTTP_REFUSAL_ROWS ? NULL : http_refusal_label(a->why);
}

/* Without memory a line is not whole, and left out: its end is looked for. */
static void add_text(
    const struct server_log *log, const struct http_access *a, struct bytes target, uint64_t ms)
{
	char address[ADDR_TEXT_MAX], when[40];
	struct buf line = BUF_INIT;
	const char *why = reason_of(a);

	print_time(when);
	buf_printf(&line, "%s - - [%s] ", addr_print(&a->client, false, address), when);
	put_request(a, target, &line);
	buf_printf(&line, " %u %llu ", a->status, (unsigned long long)a->octets);
	put_quoted(&line, page_of(a->referer), TEXT_MOST);
	buf_add_str(&line, " ");
	put_quoted(&line, a->agent, TEXT_MOST);
	buf_printf(
	    &line, " %llu.%03llu ", (unsigned long long)ms / 1000, (unsigned long long)ms % 1000);
	put_quoted(&line, a->request_id, TEXT_MOST);
	if (buf_printf(&line, " %s%s\n", why ? why : "-", a->is_aborted ? " aborted" : "") == 0)
		log_file_add(log->file, buf_data(&line), buf_len(&line));
	buf_fini(&line);
}

static struct bytes cut(struct bytes text, size_t most)
{
	return (struct bytes){ text.p, text.n < most ? text.n : most };
}

static void add_json(
    const struct server_log *log, const struct http_access *a, struct bytes target, uint64_t ms)
{
	char address[ADDR_TEXT_MAX];
	struct log_line line;

	log_line_print(&line, LOG_JSON, LOG_INFO, "request",
	    (const struct log_field[]){ LOG_STR("address", addr_print(&a->client, false, address)),
	        LOG_BYTES("method", cut(a->method, 32)),
	        LOG_BYTES("target", cut(target, TARGET_MOST)), LOG_INT("status", a->status),
	        LOG_INT("octets", a->octets), LOG_INT("duration_ms", ms),
	        LOG_STR("refusal", reason_of(a)), LOG_INT("aborted", a->is_aborted),
	        LOG_STR("version", a->is_1_0 ? "1.0" : "1.1"),
	        LOG_BYTES("request_id", cut(a->request_id, TEXT_MOST)),
	        LOG_BYTES("referer", cut(page_of(a->referer), TEXT_MOST)),
	        LOG_BYTES("user_agent", cut(a->agent, TEXT_MOST)), { 0 } });
	log_file_add(log->file, line.text, line.len);
}

void access_log_add(const struct http_access *a, uint64_t ms, void *arg)
{
	const struct reactor *r = arg;
	const struct server_log *log = &r->config->logs.accesses;
	struct buf target = BUF_INIT;

	put_path(r->server, a->path, &target);
	put_query(a->query, &target);
	(log->format == LOG_JSON ? add_json : add_text)(log, a, in(&target), ms);
	buf_fini(&target);
}
