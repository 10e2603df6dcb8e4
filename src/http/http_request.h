/*
 * http/http_request.h - a read-only view of one request, complete with its body.
 *
 * Views point into memory of the request; they live until it was answered or its connection
 * detached. The path is raw: split it first, then decode each segment (http_url.h).
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "net/addr.h"
#include "net/loop.h"

struct http_request;
struct tls_peer;
struct http_server;

/* The headers that we look at, found in one pass over the request. Whether one is a list, and what
 * becomes of it if it comes on several lines, is in the table of http_request.c. */
enum http_header {
	HTTP_ACCESS_CONTROL_REQUEST_HEADERS,
	HTTP_AUTHORIZATION,
	HTTP_CONNECTION,
	HTTP_CONTENT_LENGTH,
	HTTP_CONTENT_TYPE,
	HTTP_COOKIE,
	HTTP_EXPECT,
	HTTP_FORWARDED,
	HTTP_HOST,
	HTTP_IF_NONE_MATCH,
	HTTP_ORIGIN,
	HTTP_REFERER,
	HTTP_SEC_FETCH_SITE,
	HTTP_SOCKJSD_PEER, /* between gateways: cluster/hop_request.h */
	HTTP_TRANSFER_ENCODING,
	HTTP_X_FORWARDED_FOR,
	HTTP_X_FORWARDED_HOST,
	HTTP_X_FORWARDED_PROTO,
	HTTP_HEADERS
};

enum http_method { HTTP_GET = 1, HTTP_HEAD = 2, HTTP_POST = 4, HTTP_OPTIONS = 8, HTTP_OTHER = 16 };

struct http_server *http_request_server(const struct http_request *r);
enum http_method http_request_method(const struct http_request *r);
struct bytes http_request_method_name(const struct http_request *r);
/* Raw, as sent, without query; begins with '/', or is "*". */
struct bytes http_request_path(const struct http_request *r);
/* Raw, without '?'; empty if none. */
struct bytes http_request_query(const struct http_request *r);
bool http_request_is_1_1(const struct http_request *r);
/* Whether the connection may serve another request afterwards. */
bool http_request_keeps_alive(const struct http_request *r);
/* It may not: this is the last request of its connection. */
void http_request_end(struct http_request *r);
bool http_request_is_tls(const struct http_request *r);
/* The certificate that whoever is at the other end has shown; as stream_tls_peer(). */
int http_request_tls_peer(const struct http_request *r, struct tls_peer *peer);
/* What http_server_add() was given for the connection; NULL after it was detached and given back.
 */
const void *http_request_listener(const struct http_request *r);
/* Where the connection comes from; a proxy's address if there is one. */
const struct addr *http_request_peer(const struct http_request *r);

/* The value of a known header, of all its lines if it is a list (RFC 9110 section 5.3); .p is NULL
 * if absent. */
struct bytes http_request_header(const struct http_request *r, enum http_header h);
/* Appends the value of any header, by name in any case, all its lines joined. How many lines there
 * were, or -ENOMEM. */
int http_request_join_header(const struct http_request *r, const char *name, struct buf *out);
typedef void (*http_header_fn)(struct bytes name, struct bytes value, void *arg);
void http_request_each_header(const struct http_request *r, http_header_fn fn, void *arg);
/* Whether one of the elements of a list field is what is looked for; all its lines are one list
 * (RFC 9110 section 5.3). */
bool http_request_has_element(
    const struct http_request *r, const char *name, bool (*is_it)(struct bytes element));
/* The value of a cookie by its exact name; .p is NULL if absent. */
struct bytes http_request_cookie(const struct http_request *r, const char *name);

/* The body; may be changed in place. */
char *http_request_body(struct http_request *r, size_t *n);

#endif
