/*
 * server/server_tls.c - looking after TLS while the server runs: certificates whose files have
 * changed are taken up, those that will end soon are said in the log, once at start and then
 * each day; their ends and counts of handshakes are among the metrics; and how many handshakes
 * there may be at a time.
 *
 * The first reactor looks; the others see what it has found with the next connection.
 */
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "server/server_private.h"

#define LOOK_MS   2000
#define DAY_S     86400
#define DAY_MS    (DAY_S * UINT64_C(1000))
#define SOON_DAYS 14

/* --- the log ------------------------------------------------------------- */

static void warn_of(const struct server_listener *l, const char *file, int64_t left)
{
	if (left <= 0)
		log_warn("a TLS certificate has expired", LOG_STR("listener", l->url),
		    LOG_STR("certificate", file));
	else
		log_warn("a TLS certificate expires soon", LOG_STR("listener", l->url),
		    LOG_STR("certificate", file), LOG_INT("days", left / DAY_S));
}

static void warn_of_ends(const struct server_listener *l)
{
	int64_t now = (int64_t)time(NULL), not_after;
	const char *file;

	for (size_t i = 0; l->tls && tls_server_certificate(l->tls, i, &file, &not_after); i++)
		if (not_after - now < SOON_DAYS * DAY_S)
			warn_of(l, file, not_after - now);
}

/* --- following ------------------------------------------------------------ */

static void follow(const struct server_listener *l)
{
	char why[400];

	if (!l->tls)
		return;
	switch (tls_server_follow(l->tls, why, sizeof(why))) {
	case TLS_FOLLOW_NEW:
		log_info("the files of TLS have changed; new connections get what they say now",
		    LOG_STR("listener", l->url));
		warn_of_ends(l);
		break;
	case TLS_FOLLOW_FAILED:
		log_warn("the files of TLS have changed and cannot be used; the old certificates "
		         "stay",
		    LOG_STR("listener", l->url), LOG_STR("why", why));
		break;
	case TLS_FOLLOW_SAME:
		break;
	}
}

static void look(struct reactor *r)
{
	const struct server_config *config = r->config;
	bool is_daily = loop_now(r->loop) >= r->tls_warn_at;

	for (size_t i = 0; i < config->listener_count; i++) {
		follow(config->listeners[i]);
		if (is_daily)
			warn_of_ends(config->listeners[i]);
	}
	if (is_daily)
		r->tls_warn_at = loop_now(r->loop) + DAY_MS;
}

static void on_tls_timer(struct timer *t)
{
	struct reactor *r = container_of(t, struct reactor, tls_timer);

	look(r);
	timer_start(loop_timers(r->loop), t, LOOK_MS);
}

static bool has_tls(const struct server_config *config)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (config->listeners[i]->tls)
			return true;
	return false;
}

void tls_watch(struct reactor *r)
{
	timer_init(&r->tls_timer, on_tls_timer);
	tls_configure(r);
}

void tls_configure(struct reactor *r)
{
	r->tls_warn_at = 0;
	if (r->index != 0)
		return;
	if (has_tls(r->config))
		timer_start(loop_timers(r->loop), &r->tls_timer, 1);
	else
		timer_stop(loop_timers(r->loop), &r->tls_timer);
}

/* --- how many ------------------------------------------------------------- */

static struct tls_counts counts_of(const struct server_config *config)
{
	struct tls_counts all = { 0 };

	for (size_t i = 0; i < config->listener_count; i++) {
		const struct server_listener *l = config->listeners[i];
		struct tls_counts c = l->tls ? tls_server_counts(l->tls) : (struct tls_counts){ 0 };

		all.under_way += c.under_way;
		all.handshakes += c.handshakes;
		all.resumed += c.resumed;
	}
	return all;
}

/* Reactors that ask at the same moment may both hear yes for the last place. */
bool tls_has_room(const struct server_config *config)
{
	uint64_t most = config->options.server.limit_tls_handshakes;

	return most == 0 || counts_of(config).under_way < most;
}

/* --- metrics --------------------------------------------------------------- */

/* A label's value: Prometheus wants three characters escaped. */
static int print_label(struct buf *out, const char *text)
{
	int err = 0;

	for (; *text && err == 0; text++)
		if (*text == '\n')
			err = buf_add_str(out, "\\n");
		else if (*text == '"' || *text == '\\')
			err = buf_printf(out, "\\%c", *text);
		else
			err = buf_add(out, text, 1);
	return err;
}

static int print_end(struct buf *out, const char *file, int64_t not_after)
{
	int err = buf_add_str(out, "sockjs_tls_certificate_expiry_seconds{certificate=\"");

	if (err == 0)
		err = print_label(out, file);
	return err ? err : buf_printf(out, "\"} %lld\n", (long long)not_after);
}

/* Whether an earlier certificate, up to the j-th of the i-th listener, is of the same file. */
static bool is_printed(const struct server_config *config, size_t i, size_t j, const char *file)
{
	int64_t not_after;
	const char *other;

	for (size_t k = 0; k <= i; k++)
		for (size_t m = 0;
		     config->listeners[k]->tls && (k < i || m < j) &&
		     tls_server_certificate(config->listeners[k]->tls, m, &other, &not_after);
		     m++)
			if (strcmp(other, file) == 0)
				return true;
	return false;
}

static int print_ends(const struct server_config *config, struct buf *out)
{
	int err = buf_add_str(out,
	    "# HELP sockjs_tls_certificate_expiry_seconds When a certificate ends, in seconds "
	    "since 1970.\n"
	    "# TYPE sockjs_tls_certificate_expiry_seconds gauge\n");

	for (size_t i = 0; i < config->listener_count; i++) {
		struct tls_server *tls = config->listeners[i]->tls;
		int64_t not_after;
		const char *file;

		for (size_t j = 0;
		     err == 0 && tls && tls_server_certificate(tls, j, &file, &not_after); j++)
			if (!is_printed(config, i, j, file))
				err = print_end(out, file, not_after);
	}
	return err;
}

int tls_print_metrics(const struct server_config *config, struct buf *out)
{
	struct tls_counts counts = counts_of(config);
	int err = buf_printf(out,
	    "# HELP sockjs_tls_handshakes_under_way TLS handshakes that have begun, now.\n"
	    "# TYPE sockjs_tls_handshakes_under_way gauge\n"
	    "sockjs_tls_handshakes_under_way %u\n"
	    "# HELP sockjs_tls_handshakes_total TLS handshakes done.\n"
	    "# TYPE sockjs_tls_handshakes_total counter\n"
	    "sockjs_tls_handshakes_total %llu\n"
	    "# HELP sockjs_tls_resumed_total TLS handshakes that resumed a session.\n"
	    "# TYPE sockjs_tls_resumed_total counter\n"
	    "sockjs_tls_resumed_total %llu\n",
	    counts.under_way, (unsigned long long)counts.handshakes,
	    (unsigned long long)counts.resumed);

	return err || !has_tls(config) ? err : print_ends(config, out);
}
