/*
 * checkup/line.c - one connection, step by step; see line.h.
 *
 *	dial --[CONNECT]--> [TLS] --> open --> ended
 */
#include "checkup/line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

static void end(struct line *l, enum fate fate, unsigned status, const char *why)
{
	if (l->is_over)
		return;
	l->is_over = true;
	timer_stop(loop_timers(l->net->loop), &l->timer);
	l->on->ended(l, fate, status, why);
}

static enum fate fate_of(int err)
{
	switch (-err) {
	case 0:
		return FATE_CLOSED;
	case ETIMEDOUT:
		return FATE_TIMEOUT;
	case ENOMEM:
		return FATE_OURS;
	default:
		return FATE_RESET;
	}
}

static void hung_up(struct line *l, int err)
{
	const char *how = err < 0 ? strerror(-err) : "the connection was closed";

	end(l, fate_of(err), 0, how);
}

static void opened(struct line *l)
{
	timer_stop(loop_timers(l->net->loop), &l->timer);
	l->is_open = true;
	l->ready_ms = (int)(clock_now() - l->began);
	l->on->open(l);
}

/* --- TLS ----------------------------------------------------------------------------------- */

static void on_tls(struct stream *s, int err)
{
	struct line *l = container_of(s, struct line, stream);
	const char *why = stream_tls_why(s);

	if (err == 0) {
		opened(l);
		stream_want(s, STREAM_READ);
	} else {
		end(l, FATE_TLS, 0, why[0] ? why : strerror(-err));
	}
}

static void secure(struct line *l)
{
	stream_want(&l->stream, 0);
	if (!l->net->tls)
		opened(l);
	else if (stream_tls_connect(&l->stream, l->net->tls, l->net->place->host, on_tls) < 0)
		end(l, FATE_OURS, 0, "no TLS can be begun with this host");
	if (!l->is_over && l->is_open)
		stream_want(&l->stream, STREAM_READ);
}

/* --- CONNECT ------------------------------------------------------------------------------- */

static void proxy_answered(struct line *l)
{
	unsigned status = l->proxied.status;

	ws_answer_fini(&l->proxied);
	if (status >= 200 && status < 300)
		secure(l);
	else
		end(l, FATE_PROXY, status, "the proxy refuses CONNECT");
}

/* What comes behind its answer belongs to whoever is behind the proxy, who does not speak first. */
static void hear_proxy(struct line *l, const char *p, size_t n)
{
	size_t taken = 0;
	const char *wrong = ws_answer_feed(&l->proxied, p, n, &taken);

	if (wrong || (l->proxied.is_complete && taken < n))
		end(l, FATE_PROXY, 0, wrong ? wrong : "the proxy says more than it was asked");
	else if (l->proxied.is_complete)
		proxy_answered(l);
}

static void ask_proxy(struct line *l)
{
	char text[800];
	int n = snprintf(text, sizeof(text),
	    "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sockjsd-doctor\r\n\r\n",
	    l->net->place->connect, l->net->place->connect);
	struct stream_piece piece = { text, (size_t)n, NULL };

	stream_want(&l->stream, STREAM_READ);
	stream_write(&l->stream, &piece, 1); /* if it fails a hang-up follows */
}

/* --- the stream ---------------------------------------------------------------------------- */

static void on_readable(struct stream *s)
{
	struct line *l = container_of(s, struct line, stream);
	char *p = loop_scratch(l->net->loop);
	ssize_t n = stream_read(s, p, LOOP_SCRATCH_BYTES);

	if (n == -EAGAIN || n < 0)
		return;
	if (n == 0)
		hung_up(l, 0);
	else if (l->is_open)
		l->on->data(l, p, (size_t)n);
	else
		hear_proxy(l, p, (size_t)n);
}

static void on_hangup(struct stream *s, int err)
{
	hung_up(container_of(s, struct line, stream), err);
}

static const struct stream_events stream_events = {
	.readable = on_readable,
	.hangup = on_hangup,
};

/* --- dialling ------------------------------------------------------------------------------ */

static void on_dialled(struct dial *d, struct stream *s, int err)
{
	struct line *l = container_of(d, struct line, dial);

	l->is_dialling = false;
	if (err < 0) {
		end(l, dial_is_our_own(err) ? FATE_OURS : FATE_UNCONNECTED, 0, strerror(-err));
		return;
	}
	l->connect_ms = (int)(clock_now() - l->began);
	stream_move(&l->stream, s, l->net->loop, &stream_events);
	if (l->net->proxy && l->tunnels)
		ask_proxy(l);
	else
		secure(l);
}

static void on_late(struct timer *t)
{
	struct line *l = container_of(t, struct line, timer);
	const char *why = l->is_dialling ? "no connection in time"
	                  : l->net->proxy && l->tunnels
	                      ? "the proxy does not answer, or TLS does not"
	                      : "no TLS in time";

	end(l, l->is_dialling ? FATE_UNCONNECTED : FATE_TIMEOUT, 0, why);
}

void line_start(struct line *l, const struct net *net, const struct line_events *on, bool tunnels)
{
	*l = (struct line){ .net = net, .on = on, .tunnels = tunnels || net->tls };
	l->connect_ms = l->ready_ms = FACT_UNKNOWN;
	l->began = clock_now();
	l->proxied = WS_ANSWER_INIT;
	l->is_dialling = true;
	stream_init_empty(&l->stream);
	timer_init(&l->timer, on_late);
	timer_start(loop_timers(net->loop), &l->timer, net->timeout_ms);
	dial_start(&l->dial, net->loop, &net->addr, net->timeout_ms, on_dialled);
}

int line_write(struct line *l, const void *p, size_t n)
{
	struct stream_piece piece = { p, n, NULL };

	return stream_is_open(&l->stream) ? stream_write(&l->stream, &piece, 1) : -ENOTCONN;
}

void line_close(struct line *l)
{
	if (!l->net)
		return;
	l->is_over = true;
	timer_stop(loop_timers(l->net->loop), &l->timer);
	if (l->is_dialling)
		dial_cancel(&l->dial);
	l->is_dialling = false;
	ws_answer_fini(&l->proxied);
	l->proxied = WS_ANSWER_INIT;
	stream_close(&l->stream);
}
