/*
 * http/http_upgrade.c - 101 through libmicrohttpd's upgrade; see http_upgrade.h.
 *
 * libmicrohttpd hands us its descriptor and what it has read beyond the request.
 * We keep a duplicate, let it close its own (which it does in its next run), and
 * give the stream away at the end of the turn.
 */
#include "http/http_upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/http_private.h"

/* What waits between libmicrohttpd's call and the end of the turn. */
struct upgraded {
	struct deferred deferred;
	struct stream stream;
	struct buf early;
	http_upgraded_fn fn;
	void *arg;
};

static void hand_out(struct deferred *d)
{
	struct upgraded *u = container_of(d, struct upgraded, deferred);

	u->fn(&u->stream,
	    (struct bytes){ buf_len(&u->early) ? buf_data(&u->early) : "", buf_len(&u->early) },
	    u->arg);
	if (stream_is_open(&u->stream))
		stream_close(&u->stream);
	buf_fini(&u->early);
	mem_free(u);
}

/* Everything goes through the stream of the relay, or a duplicate of the descriptor. */
static int take_upgraded(struct http_request *r, int fd, struct upgraded *u)
{
	struct http_conn *conn = r->conn;
	int copy, one = 1;

	if (conn->relay) {
		if (http_relay_unread(conn->relay, fd, &u->early) < 0)
			return -ENOMEM;
		http_relay_take(conn->relay, &u->stream);
		conn->relay = NULL;
		return 0;
	}
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return -errno;
	/* Libmicrohttpd has just turned it off */
	setsockopt(copy, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	stream_init(&u->stream, conn->server->loop, copy, NULL);
	u->stream.visitor = conn->visitor;
	conn->visitor = NULL;
	return 0;
}

static void on_upgrade(void *arg, struct MHD_Connection *mhd, void *ctx, const char *extra,
    size_t extra_size, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
	struct http_request *r = arg;
	struct http_server *server = r->conn->server;
	struct upgraded *u = mem_zalloc(sizeof(*u));

	(void)mhd, (void)ctx;
	if (u && (buf_add(&u->early, extra, extra_size) < 0 || take_upgraded(r, fd, u) < 0)) {
		buf_fini(&u->early);
		mem_free(u);
		u = NULL;
	}
	r->conn->taken = u != NULL;
	if (u) {
		timer_stop(loop_timers(server->loop), &r->conn->timer);
		loop_unwatch(server->loop, &r->conn->watch);
		u->fn = r->upgraded;
		u->arg = r->upgraded_arg;
		r->upgraded = NULL; /* on_completed() has nobody to tell */
		server->counters.detached++;
		loop_defer(server->loop, &u->deferred, hand_out);
	}
	MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
	http_server_run_again(server); /* it closes its copy in its next run only */
}

int http_upgrade(struct http_request *r, const char *protocol, const struct http_head *head,
    http_upgraded_fn fn, void *arg)
{
	struct MHD_Response *response = MHD_create_response_for_upgrade(on_upgrade, r);
	enum MHD_Result queued;

	if (!response)
		return -ENOMEM;
	if (head->is_cut) {
		MHD_destroy_response(response);
		return -E2BIG;
	}
	if (!http_response_add_lines(response, head)) {
		MHD_destroy_response(response);
		return -ENOMEM;
	}
	MHD_add_response_header(response, "Upgrade", protocol);
	queued = MHD_queue_response(r->conn->mhd, 101, response);
	MHD_destroy_response(response);
	if (queued != MHD_YES)
		return -EINVAL;
	r->upgraded = fn;
	r->upgraded_arg = arg;
	r->state = REQUEST_UPGRADING;
	return 0;
}
