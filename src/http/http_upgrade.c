/*
 * http/http_upgrade.c - 101 Switching Protocols; see http_upgrade.h.
 */
#include "http/http_upgrade.h"

#include <errno.h>

#include "http/http_access.h"
#include "http/http_detach.h"

int http_upgrade(struct http_request *r, const char *protocol, const struct http_head *head,
    struct stream *out, const struct stream_events *on)
{
	struct http_head full = *head;
	char text[HTTP_HEAD_MAX + HTTP_HEAD_EXTRA];
	struct stream_piece piece = { text, 0, NULL };
	struct http_server *server = http_request_server(r);
	struct http_access *access;
	int err;

	http_head_add(&full, "Upgrade", protocol);
	http_head_add(&full, "Connection", "Upgrade");
	if (full.is_cut || !http_request_is_1_1(r))
		return full.is_cut ? -E2BIG : -EINVAL;
	access = http_access_keep(r);
	err = http_detach(r, out, http_server_loop(http_request_server(r)), on);
	if (err < 0) {
		http_access_free(access);
		return err;
	}
	http_access_end(access, server, 101, 0);
	piece.n = http_head_render(text, 101, (struct bytes){ full.text, full.len },
	    (struct http_framing){ .keep_alive = true, .length = -1 });
	/* Most who upgrade have something to say at once. If it fails, its next owner hears of it */
	stream_write_ahead(out, &piece);
	return 0;
}
