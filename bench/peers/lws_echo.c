/*
 * bench/peers/lws_echo.c - libwebsockets, as its manual would have it used.
 *
 *	lws_echo [PORT]
 *
 * /echo/... returns what it gets to the sender, /broadcast/... to all. One lws_write for each
 * WRITEABLE callback, as the library asks. Its own poll() loop: with its libuv plug-in,
 * every wish to write is a system call more, which costs more than epoll saves.
 */
#include <libwebsockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { RECENT = 2048 /* messages of the broadcast that somebody may still have to get */ };

struct text {
	struct text *next;
	size_t len, cap;
	unsigned char data[]; /* LWS_PRE bytes, then the payload */
};

struct client {
	struct text *incoming; /* not complete yet */
	struct text *first, **last;
	bool is_member;
	size_t next; /* message of the broadcast */
};

static struct text *recent[RECENT];
static size_t published;

/* --- texts -------------------------------------------------------------------------- */

static struct text *append(struct text *t, const void *data, size_t len, size_t more)
{
	size_t before = t ? t->len : 0;

	if (!t || before + len > t->cap) {
		t = realloc(t, sizeof(*t) + LWS_PRE + before + len + more);
		if (!t)
			exit(1);
		t->next = NULL;
		t->cap = before + len + more;
	}
	memcpy(t->data + LWS_PRE + before, data, len);
	t->len = before + len;
	return t;
}

static void publish(struct text *t)
{
	struct text **place = &recent[published++ % RECENT];

	free(*place);
	*place = t;
}

static int write_text(struct lws *wsi, struct text *t)
{
	return lws_write(wsi, t->data + LWS_PRE, t->len, LWS_WRITE_TEXT) < (int)t->len ? -1 : 0;
}

/* --- clients ------------------------------------------------------------------------ */

static void begin(struct lws *wsi, struct client *c)
{
	char url[128] = "";

	lws_hdr_copy(wsi, url, sizeof(url), WSI_TOKEN_GET_URI);
	*c = (struct client){ .last = &c->first, .next = published };
	c->is_member = strncmp(url, "/broadcast", 10) == 0;
}

static void receive(struct lws *wsi, struct client *c, const void *data, size_t len)
{
	struct text *t;

	c->incoming = append(c->incoming, data, len, lws_remaining_packet_payload(wsi));
	if (lws_remaining_packet_payload(wsi) > 0 || !lws_is_final_fragment(wsi))
		return;
	t = c->incoming;
	c->incoming = NULL;
	if (c->is_member) {
		publish(t);
		lws_callback_on_writable_all_protocol(lws_get_context(wsi), lws_get_protocol(wsi));
		return;
	}
	*c->last = t;
	c->last = &t->next;
	lws_callback_on_writable(wsi);
}

static int write_next(struct lws *wsi, struct client *c)
{
	struct text *t = c->first;
	int result;

	if (c->is_member) {
		if (c->next == published)
			return 0;
		if (published - c->next > RECENT)
			return -1; /* too slow */
		result = write_text(wsi, recent[c->next++ % RECENT]);
		if (c->next < published)
			lws_callback_on_writable(wsi);
		return result;
	}
	if (!t)
		return 0;
	result = write_text(wsi, t);
	c->first = t->next;
	if (!c->first)
		c->last = &c->first;
	else
		lws_callback_on_writable(wsi);
	free(t);
	return result;
}

static void finish(struct client *c)
{
	struct text *next;

	free(c->incoming);
	for (struct text *t = c->first; t; t = next) {
		next = t->next;
		free(t);
	}
}

static int on_event(
    struct lws *wsi, enum lws_callback_reasons reason, void *client, void *data, size_t len)
{
	if (reason == LWS_CALLBACK_ESTABLISHED)
		begin(wsi, client);
	else if (reason == LWS_CALLBACK_RECEIVE)
		receive(wsi, client, data, len);
	else if (reason == LWS_CALLBACK_SERVER_WRITEABLE)
		return write_next(wsi, client);
	else if (reason == LWS_CALLBACK_CLOSED)
		finish(client);
	return 0;
}

/* --- main --------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
	static const struct lws_protocols protocols[] = {
		{ .name = "any",
		    .callback = on_event,
		    .per_session_data_size = sizeof(struct client) },
		{ 0 },
	};
	struct lws_context_creation_info info = { .protocols = protocols,
		.port = argc > 1 ? atoi(argv[1]) : 0,
		.iface = "127.0.0.1",
		.gid = -1,
		.uid = -1,
		.pt_serv_buf_size = 65536,
		.options = LWS_SERVER_OPTION_DISABLE_IPV6 };
	struct lws_context *context;
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	lws_set_log_level(LLL_ERR, NULL);
	context = lws_create_context(&info);
	if (!context)
		return 1;
	printf("listening on http://127.0.0.1:%d\n",
	    lws_get_vhost_listen_port(lws_get_vhost_by_name(context, "default")));
	fflush(stdout);
	while (lws_service(context, 0) >= 0)
		;
	lws_context_destroy(context);
	return 0;
}
