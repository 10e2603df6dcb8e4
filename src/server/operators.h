/*
 * server/operators.h - who may give commands at the internal address: those who know the token, and
 * those who have shown a certificate that is listed. For this folder.
 *
 * One object, made with a configuration and never changed; counted, for the dashboard remembers
 * whom its watchers have satisfied.
 */
#ifndef SERVER_OPERATORS_H
#define SERVER_OPERATORS_H

#include <stdatomic.h>

#include "policy/forwarded.h"
#include "server/options.h"

struct http_request;
struct sockjs_server;

struct operators {
	atomic_uint refs;
	char *token; /* NULL: none will do */
	struct string_list subjects, fingerprints;
};

/* *out is NULL if there is nobody. 0, or -errno with sockjs_server_error(), which is about
 * internal.token_file. */
int operators_new(
    struct operators **out, struct sockjs_server *server, const struct server_options *o);
/* NULL is fine for these three. */
struct operators *operators_ref(struct operators *o);
void operators_unref(struct operators *o);
bool operators_are_same(const struct operators *a, const struct operators *b);

/* Whether this is the token; how long it takes tells nothing of how much was right. */
bool operators_know_token(const struct operators *o, struct bytes said);

enum operator_verdict {
	OPERATOR_KNOWN,
	OPERATOR_UNKNOWN, /* no token, another one, no certificate, or one that is not listed */
	OPERATOR_FOREIGN, /* the certificate is listed, but a page of another origin asks with it */
};

/* Who shows a certificate that is listed, on a connection of his own. A browser shows it for every
 * page that asks for something here, so the page has to be ours. */
enum operator_verdict operators_judge_certificate(
    const struct operators *o, const struct http_trust *trust, const struct http_request *r);
/* The same, or the token in Authorization: Bearer, which no page has by itself. */
enum operator_verdict operators_judge(
    const struct operators *o, const struct http_trust *trust, const struct http_request *r);

#endif
