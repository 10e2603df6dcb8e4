/*
 * server/iframe.c - /iframe*.html: the page that lets a client from another origin
 * use the transports of ours (SockJS protocol 0.3, "IFrame page").
 */
#include <errno.h>
#include <stdio.h>

#include "base/map.h"
#include "base/mem.h"
#include "server/server_private.h"

/* A constant of the protocol, to the byte, around the URL of the script. */
static const char before_url[] =
    "<!DOCTYPE html>\n"
    "<html>\n"
    "<head>\n"
    "  <meta http-equiv=\"X-UA-Compatible\" content=\"IE=edge\" />\n"
    "  <meta http-equiv=\"Content-Type\" content=\"text/html; charset=UTF-8\" />\n"
    "  <script src=\"";
static const char after_url[] =
    "\"></script>\n"
    "  <script>\n"
    "    document.domain = document.domain;\n"
    "    SockJS.bootstrap_iframe();\n"
    "  </script>\n"
    "</head>\n"
    "<body>\n"
    "  <h2>Don't panic!</h2>\n"
    "  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>\n"
    "</body>\n"
    "</html>";

/* A URL within an attribute. */
static int add_escaped(struct buf *out, const char *url)
{
	for (; *url; url++) {
		const char *entity = *url == '"'   ? "&quot;"
		                     : *url == '&' ? "&amp;"
		                     : *url == '<' ? "&lt;"
		                                   : NULL;

		if ((entity ? buf_add_str(out, entity) : buf_add(out, url, 1)) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Of what a cache keeps: a 304 does not renew the policy that it has stored with the page. */
static void make_etag(struct server_endpoint *ep)
{
	/* The same in each process */
	static const struct map_seed seed = { 0x736f636b6a73, 0x696672616d65 };
	uint64_t of_page = map_hash(&seed, (struct bytes){ ep->iframe, ep->iframe_len }),
	         of_lines =
	             map_hash(&seed, (struct bytes){ ep->iframe_lines, ep->iframe_lines_len });

	snprintf(ep->iframe_etag, sizeof(ep->iframe_etag), "\"%016llx\"",
	    (unsigned long long)(of_page ^ (of_lines << 1 | of_lines >> 63)));
}

int iframe_prepare(struct server_endpoint *ep)
{
	struct buf page = BUF_INIT, lines = BUF_INIT;

	if (buf_add_str(&page, before_url) < 0 || add_escaped(&page, ep->options.client_url) < 0 ||
	    buf_add_str(&page, after_url) < 0 ||
	    http_origin_frame_ancestors(&ep->base.origins, &lines) < 0) {
		buf_fini(&page);
		buf_fini(&lines);
		return -ENOMEM;
	}
	/* The memory of the buffers is ours now */
	ep->iframe_len = buf_len(&page);
	ep->iframe = buf_data(&page);
	ep->iframe_lines_len = buf_len(&lines);
	ep->iframe_lines = buf_data(&lines);
	make_etag(ep);
	return 0;
}

/* "iframe", then [0-9-.a-z_]*, then ".html". */
bool iframe_is_path(struct bytes rest)
{
	size_t name = sizeof("/iframe") - 1, suffix = sizeof(".html") - 1;

	if (rest.n < name + suffix || memcmp(rest.p, "/iframe", name) != 0 ||
	    memcmp(rest.p + rest.n - suffix, ".html", suffix) != 0)
		return false;
	for (size_t i = name; i < rest.n - suffix; i++) {
		char c = rest.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' ||
		        c == '_'))
			return false;
	}
	return true;
}

void iframe_serve(struct server_endpoint *ep, struct http_request *r)
{
	struct bytes condition = http_request_header(r, HTTP_IF_NONE_MATCH);
	struct http_head head;

	if ((http_request_method(r) & (HTTP_GET | HTTP_HEAD)) == 0) {
		answer_method_not_allowed(r, "GET, HEAD");
		return;
	}
	http_head_init(&head, 200);
	http_head_cache_but_ask(&head);
	http_head_add(&head, "ETag", ep->iframe_etag);
	head.more = (struct bytes){ ep->iframe_lines, ep->iframe_lines_len };
	if (condition.p && http_etag_matches(condition, bytes_of(ep->iframe_etag))) {
		head.status = 304;
		http_respond(r, &head, (struct bytes){ 0 });
		return;
	}
	http_head_add(&head, "Content-Type", "text/html; charset=UTF-8");
	http_respond(r, &head, (struct bytes){ ep->iframe, ep->iframe_len });
}
