/*
 * server/dashboard_pages.c - the files of the dashboard. They are in the program, as the
 * description of the commands is: there is nothing to be found, and page and feed are of one
 * version.
 */
#include "server/dashboard_private.h"

#define ROOT "/dashboard/"

/* Scripts and styles of ours alone, and nobody shows it in a frame: a click there closes sessions.
 * What an iframe transport shows is ours. */
static const char policy[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; frame-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: same-origin\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "X-Content-Type-Options: nosniff\r\n";

bool dashboard_is_path(struct bytes path)
{
	static const struct bytes name = { ROOT, sizeof(ROOT) - 2 };

	return path.n >= name.n && memcmp(path.p, name.p, name.n) == 0 &&
	       (path.n == name.n || path.p[name.n] == '/');
}

/* Relative, so that it is right behind a proxy that has put it elsewhere. */
static void lead_to_page(struct http_request *r)
{
	struct http_head head;

	http_head_init(&head, 302);
	http_head_add(&head, "Location", "dashboard/");
	http_head_add(&head, "Cache-Control", "no-cache");
	http_respond(r, &head, (struct bytes){ 0 });
}

static const struct dashboard_file *find(struct bytes path)
{
	const size_t root = sizeof(ROOT) - 1;
	struct bytes name = { path.p + root, path.n - root };

	if (name.n == 0)
		name = BYTES("index.html");
	for (const struct dashboard_file *f = dashboard_files; f->path; f++)
		if (bytes_equal(name, bytes_of(f->path)))
			return f;
	return NULL;
}

static void answer(struct http_request *r, const struct dashboard_file *f)
{
	struct bytes condition = http_request_header(r, HTTP_IF_NONE_MATCH);
	struct http_head head;

	http_head_init(&head, 200);
	head.more = (struct bytes){ policy, sizeof(policy) - 1 };
	http_head_add(&head, "ETag", f->etag);
	http_head_add(&head, "Cache-Control", "no-cache"); /* keep it, but ask first */
	if (condition.p && http_etag_matches(condition, bytes_of(f->etag))) {
		head.status = 304;
		http_respond(r, &head, (struct bytes){ 0 });
		return;
	}
	http_head_add(&head, "Content-Type", http_content_type(f->path));
	http_respond(r, &head, (struct bytes){ f->data, f->len });
}

bool dashboard_serve_page(struct reactor *reactor, struct http_request *r)
{
	struct dashboard *d = dashboard_of(reactor);
	struct bytes path = http_request_path(r);
	const struct dashboard_file *f;

	if (!d)
		return false;
	if (bytes_equal(path, BYTES("/")) || bytes_equal(path, BYTES("/dashboard"))) {
		lead_to_page(r);
		return true;
	}
	if (!dashboard_is_path(path))
		return false;
	f = find(path);
	if (f) {
		answer(r, f);
		return true;
	}
	http_request_end(
	    r); /* a long file is sent by who does not know where the connection came in */
	return d->client && http_static_serve(d->client, r);
}
