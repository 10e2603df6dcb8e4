/*
 * checkup/report.c - what people read; see report.h.
 */
#include "checkup/report.h"

#include <stdarg.h>
#include <string.h>

/* --- text ---------------------------------------------------------------------------------- */

/* What stands there came from strangers: nothing of it but ASCII that is shown reaches a terminal.
 */
static void clean(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

__attribute__((format(printf, 3, 4))) static void append(
    char *out, size_t size, const char *format, ...)
{
	size_t n = strlen(out);
	va_list ap;

	va_start(ap, format);
	vsnprintf(out + n, size - n, format, ap);
	va_end(ap);
}

static void add_failure(char *out, size_t size, const struct failure *f)
{
	const char *why = f->why;
	char number[8] = "";

	if (f->status && f->fate == FATE_STATUS)
		snprintf(number, sizeof(number), "%u", f->status % 1000);
	if (strncmp(why, number, strlen(number)) == 0)
		number[0] = '\0';
	append(out, size, "%s%s%s", number, number[0] ? ": " : "", why);
}

static void add_flow(char *out, size_t size, const struct way_facts *w)
{
	switch (w->flow) {
	case FLOW_AFTER_OCTETS:
		append(out, size, ", held until some %zu octets have come", w->held_octets);
		break;
	case FLOW_AT_END:
		append(out, size, ", held until the response ends");
		break;
	case FLOW_NEVER:
		append(out, size, ", held: %zu octets were not enough", w->held_octets);
		break;
	default:
		/* So a gateway speaks to clients whose network it knows to hold more */
		if (w->flow == FLOW_AT_ONCE && w->came > 2 && w->responses >= w->came)
			append(out, size, ", a response for each message");
		if (w->flow == FLOW_AT_ONCE && w->lag_ms >= LATE_MS)
			append(out, size, ", each message %d ms late", w->lag_ms);
	}
}

static void add_traffic(char *out, size_t size, const struct facts *f, enum way way)
{
	const struct way_facts *w = &f->way[way];

	if (w->echo_ms != FACT_UNKNOWN)
		append(out, size, ", echo %d ms", w->echo_ms);
	if (f->is_echo && w->came < w->sent && w->sent > 0)
		append(out, size, ", %u of %u messages lost", w->sent - w->came, w->sent);
	if (way_is_websocket(way) && w->answered < w->asked)
		append(
		    out, size, ", %u of %u pings without a pong", w->asked - w->answered, w->asked);
	add_flow(out, size, w);
	if (w->send_failure.fate != FATE_NONE) {
		append(out, size, ", sends fail: ");
		add_failure(out, size, &w->send_failure);
	}
	if (w->failure.fate != FATE_NONE) {
		append(out, size, ", then: ");
		add_failure(out, size, &w->failure);
	}
}

void report_way(char *out, size_t size, const struct facts *f, enum way way)
{
	const struct way_facts *w = &f->way[way];

	out[0] = '\0';
	if (!w->is_tried) {
		append(out, size, f->info.offers[way] ? "not tried" : "not offered by the server");
	} else if (w->is_open) {
		append(out, size, "open after %d ms", w->open_ms);
		add_traffic(out, size, f, way);
	} else {
		append(out, size, "no: ");
		add_failure(out, size, &w->failure);
		add_flow(out, size, w);
	}
	clean(out);
}

/* --- the table ----------------------------------------------------------------------------- */

static void print_line(FILE *to, const struct facts *f)
{
	fprintf(to, "line           ");
	if (f->reach.fate != FATE_NONE) {
		char why[FACT_TEXT_MAX + 16] = "";

		add_failure(why, sizeof(why), &f->reach);
		clean(why);
		fprintf(to, "no: %s\n", why);
		return;
	}
	fprintf(to, "connect %d ms", f->connect_ms);
	if (f->tls_ms != FACT_UNKNOWN)
		fprintf(to, ", TLS %d ms", f->tls_ms);
	if (f->rtt_ms != FACT_UNKNOWN)
		fprintf(to, ", a request and its answer %d ms", f->rtt_ms);
	fprintf(to, "%s\n", f->by_proxy ? ", by the proxy" : "");
}

static void print_info(FILE *to, const struct facts *f)
{
	char why[FACT_TEXT_MAX + 16] = "";

	add_failure(why, sizeof(why), &f->info.failure);
	clean(why);
	if (f->info.failure.fate != FATE_NONE)
		fprintf(to, "/info          no: %s\n", why);
	else
		fprintf(to, "/info          after %d ms%s%s\n", f->info.ms,
		    f->info.websocket ? "" : ", the server offers no WebSocket",
		    f->info.cookie_needed ? ", cookies are needed" : "");
}

static void print_headers(FILE *to, const char *what, const struct fact_header *h, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char line[160];

		snprintf(line, sizeof(line), "%s: %s", h[i].name, h[i].value);
		clean(line);
		fprintf(to, "%-13s  %s\n", i ? "" : what, line);
	}
}

static void print_idle(FILE *to, const struct idle_facts *f)
{
	if (!f->is_tried)
		return;
	fprintf(to, "silence        %s: ", way_name(f->way));
	if (f->survived_s != FACT_UNKNOWN)
		fprintf(to, "%d s are survived", f->survived_s);
	if (f->cut_s != FACT_UNKNOWN)
		fprintf(to, "%s%d s are not%s", f->survived_s != FACT_UNKNOWN ? ", " : "", f->cut_s,
		    f->is_silent ? ", and nobody is told" : "");
	if (f->age_s != FACT_UNKNOWN)
		fprintf(to, "; in use it is cut after %d s", f->age_s);
	fputc('\n', to);
}

static void print_ways(FILE *to, const struct facts *f)
{
	char text[600];

	for (int i = 0; i < WAYS; i++) {
		report_way(text, sizeof(text), f, (enum way)i);
		fprintf(to, "%-13s  %s\n", way_name((enum way)i), text);
	}
}

static void print_saw(FILE *to, const struct saw_facts *s)
{
	char text[400];

	if (!s->is_known)
		return;
	snprintf(text, sizeof(text), "HTTP/%s from %s, Host: %s, Origin: %s", s->protocol,
	    s->address, s->host, s->origin);
	clean(text);
	fprintf(to, "%-13s  %s\n", "server saw", text);
	print_headers(to, "", s->headers, s->count);
}

static void print_told(FILE *to, const struct told_facts *t)
{
	char text[300];

	if (!t->is_tried)
		return;
	snprintf(text, sizeof(text),
	    t->is_kept ? "the operator can read this now, of the network %s"
	               : "the gateway has not kept this: %s",
	    t->is_kept ? t->network : t->why);
	clean(text);
	fprintf(to, "%-13s  %s\n", "report", text);
}

static void print_verdict(FILE *to, const struct diagnosis *d)
{
	fprintf(to, "\ncause          %s", cause_word(d->causes[0]));
	for (size_t i = 1; i < d->count; i++)
		fprintf(to, "%s %s", i == 1 ? "; also" : ",", cause_word(d->causes[i]));
	fprintf(to, "\nclients use    %s\n", d->best < 0 ? "nothing" : way_name((enum way)d->best));
	fprintf(to, "for you        %s\nfor admins     %s\n", d->for_user, d->for_administrator);
}

void report_print(FILE *to, const struct facts *f, const struct diagnosis *d)
{
	print_line(to, f);
	if (f->reach.fate == FATE_NONE) {
		print_info(to, f);
		print_ways(to, f);
		for (size_t i = 0; i < IDLE_KINDS; i++)
			print_idle(to, &f->idle[i]);
		print_headers(to, "on the way", f->info.answer.headers, f->info.answer.count);
		print_saw(to, &f->saw);
		print_told(to, &f->told);
	}
	print_verdict(to, d);
}
