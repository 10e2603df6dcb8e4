/*
 * server/operators.c - who may give commands; see operators.h.
 */
#include "server/operators.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/first_line.h"
#include "base/mem.h"
#include "policy/origin.h"
#include "net/stream.h"
#include "server/server_private.h"

/* --- life ------------------------------------------------------------------------- */

static int no_memory(struct sockjs_server *server)
{
	return server_fail(server, -ENOMEM, "out of memory");
}

static int read_token_file(struct operators *o, struct sockjs_server *server, const char *path)
{
	const struct option *opt = options_find("internal.token");
	char line[1024];
	int err = first_line(path, line, sizeof(line));

	if (err < 0 && err != -EINVAL)
		return server_fail(server, err, "cannot read \"%.200s\": %s", path, strerror(-err));
	if (err == 0 && opt->valid(line) && !(o->token = mem_strdup(line)))
		err = no_memory(server);
	else if (!o->token)
		err = server_fail(server, -EINVAL,
		    "the first line of \"%.200s\" is not a token; allowed: %s", path,
		    opt->allowed);
	explicit_bzero(line, sizeof(line));
	return err;
}

static int read_token(
    struct operators *o, struct sockjs_server *server, const struct server_options *from)
{
	if (!from->token)
		return from->token_file ? read_token_file(o, server, from->token_file) : 0;
	o->token = mem_strdup(from->token);
	return o->token ? 0 : no_memory(server);
}

static int copy_list(struct string_list *to, const struct string_list *from)
{
	return string_list_dup(to, (const char *const *)from->items, from->count);
}

static bool is_anybody(const struct server_options *o)
{
	return o->token || o->token_file || o->client_subjects.count > 0 ||
	       o->client_fingerprints.count > 0;
}

int operators_new(
    struct operators **out, struct sockjs_server *server, const struct server_options *from)
{
	struct operators *o;
	int err;

	*out = NULL;
	if (!is_anybody(from))
		return 0;
	o = mem_zalloc(sizeof(*o));
	if (!o)
		return no_memory(server);
	atomic_init(&o->refs, 1);
	err = read_token(o, server, from);
	if (err == 0 && (copy_list(&o->subjects, &from->client_subjects) < 0 ||
	                    copy_list(&o->fingerprints, &from->client_fingerprints) < 0))
		err = no_memory(server);
	if (err < 0)
		operators_unref(o);
	else
		*out = o;
	return err;
}

struct operators *operators_ref(struct operators *o)
{
	if (o)
		atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return o;
}

void operators_unref(struct operators *o)
{
	if (!o || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) > 1)
		return;
	if (o->token)
		explicit_bzero(o->token, strlen(o->token));
	mem_free(o->token);
	string_list_free(&o->subjects);
	string_list_free(&o->fingerprints);
	mem_free(o);
}

bool operators_are_same(const struct operators *a, const struct operators *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a->token ? a->token : "", b->token ? b->token : "") == 0 &&
	       string_lists_are_same(&a->subjects, &b->subjects) &&
	       string_lists_are_same(&a->fingerprints, &b->fingerprints);
}

/* --- the token --------------------------------------------------------------------- */

/* How long a token is may be known. */
bool operators_know_token(const struct operators *o, struct bytes said)
{
	size_t n = o->token ? strlen(o->token) : 0;
	unsigned char differ = said.n != n;

	for (size_t i = 0; i < said.n && n > 0; i++)
		differ |= (unsigned char)(said.p[i] ^ o->token[i < n ? i : 0]);
	return n > 0 && differ == 0;
}

static bool says_token(const struct operators *o, const struct http_request *r)
{
	struct bytes said = http_request_header(r, HTTP_AUTHORIZATION);

	if (said.n < 7 || strncasecmp(said.p, "Bearer ", 7) != 0)
		return false;
	said.p += 7;
	said.n -= 7;
	while (said.n > 0 && said.p[0] == ' ') {
		said.p++;
		said.n--;
	}
	return operators_know_token(o, said);
}

/* --- certificates ------------------------------------------------------------------ */

static bool is_subject_listed(const struct string_list *list, const char *subject)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], "*") == 0 || strcmp(list->items[i], subject) == 0)
			return true;
	return false;
}

/* In whichever way the digits are written: AB:CD:..., or abcd... as we write them. */
static bool is_fingerprint(const char *listed, const char *shown)
{
	for (; *listed; listed++)
		if (*listed != ':' && tolower((unsigned char)*listed) != *shown++)
			return false;
	return *shown == '\0';
}

static bool is_fingerprint_listed(const struct string_list *list, const char *fingerprint)
{
	for (size_t i = 0; i < list->count; i++)
		if (is_fingerprint(list->items[i], fingerprint))
			return true;
	return false;
}

/* That it is good, and whose, TLS has seen to. */
static bool is_certificate_listed(const struct operators *o, const struct http_request *r)
{
	struct tls_peer peer;

	if (o->subjects.count == 0 && o->fingerprints.count == 0)
		return false;
	return http_request_tls_peer(r, &peer) == 0 &&
	       (is_subject_listed(&o->subjects, peer.subject) ||
	           is_fingerprint_listed(&o->fingerprints, peer.fingerprint));
}

static bool is_own_page(const struct http_trust *trust, const struct http_request *r)
{
	const struct http_origins own_alone = { 0 };
	struct http_client client;

	return !http_client_read(trust, r, &client) &&
	       http_origin_check(&own_alone, &client, r, HTTP_ORIGIN_UNLESS_FOREIGN) ==
	           HTTP_ORIGIN_ALLOWED;
}

enum operator_verdict operators_judge_certificate(
    const struct operators *o, const struct http_trust *trust, const struct http_request *r)
{
	if (!is_certificate_listed(o, r))
		return OPERATOR_UNKNOWN;
	return is_own_page(trust, r) ? OPERATOR_KNOWN : OPERATOR_FOREIGN;
}

enum operator_verdict operators_judge(
    const struct operators *o, const struct http_trust *trust, const struct http_request *r)
{
	return says_token(o, r) ? OPERATOR_KNOWN : operators_judge_certificate(o, trust, r);
}
