/*
 * http/http_access.h - what is told of a request when its answer has ended, to whoever keeps a log
 * (http_handler.answered).
 *
 * An answer in one piece is told of at once. Who detaches the request keeps this of it until he has
 * said all; nothing is kept where nobody wants to know.
 */
#ifndef HTTP_ACCESS_H
#define HTTP_ACCESS_H

#include "http/http_server.h"

struct http_access {
	struct addr client; /* behind trusted proxies */
	/* As they came; empty: there was none */
	struct bytes method, path, query, referer, agent, request_id;
	bool is_1_0;
	bool is_aborted; /* its connection ended before all was said; 499: before anything was */
	bool is_over;    /* it was told */
	unsigned status;
	uint64_t octets;       /* of the answer's body */
	uint64_t begun;        /* when its head was here, by the loop's clock */
	enum http_refusal why; /* HTTP_REFUSAL_ROWS: it was not refused */
	char text[];
};

/* Before it is detached. NULL: nobody wants to know, or memory is out. */
struct http_access *http_access_keep(const struct http_request *r);
/* The answer has ended; once. NULL is fine; so is a server that has ended (NULL). */
void http_access_tell(struct http_access *a, struct http_server *server);
/* The same with what it was, and gone. NULL is fine. */
void http_access_end(
    struct http_access *a, struct http_server *server, unsigned status, uint64_t octets);
/* The same request has come again. NULL is fine. */
void http_access_again(struct http_access *a, uint64_t now);
void http_access_free(struct http_access *a);

/* For this folder: a request that is answered now. */
void http_access_answered(const struct http_request *r, unsigned status, uint64_t octets);

#endif
