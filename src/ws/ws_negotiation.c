/*
 * ws/ws_negotiation.c - Sec-WebSocket-Extensions; see ws_negotiation.h.
 *
 *	extensions = 1#( token *( ";" token [ "=" ( token | quoted-string ) ] ) )
 *
 * Read where it stands, one extension at a time, with at most PARAMS_MAX of its
 * parameters: permessage-deflate has four, and one that repeats declines the offer.
 */
#include "ws/ws_negotiation.h"

#include <errno.h>
#include <stdio.h>

#include "base/field.h"

enum { PARAMS_MAX = 4, VALUE_MAX = 16 };

#define HEADER BYTES("Sec-WebSocket-Extensions")
#define NAME   BYTES("permessage-deflate")

struct param {
	struct bytes name;
	bool has_value;
	char value[VALUE_MAX + 1]; /* unquoted; what is longer means nothing to us and is cut */
	size_t value_len;
};

struct extension {
	struct bytes name;
	struct param params[PARAMS_MAX];
	size_t count; /* also of those for which there was no room */
};

/* --- the grammar -------------------------------------------------------------- */

static bool take_token(struct bytes *in, struct bytes *token)
{
	field_skip_blanks(in);
	token->p = in->p;
	token->n = ws_token_length(*in);
	in->p += token->n;
	in->n -= token->n;
	return token->n > 0;
}

static void add_to_value(struct param *param, char c)
{
	if (param->value_len < VALUE_MAX)
		param->value[param->value_len++] = c;
}

/* What is in the quotes has to be a token too (RFC 6455 section 9.1). */
static bool take_quoted(struct bytes *in, struct param *param)
{
	while (in->n > 0 && in->p[0] != '"') {
		if (in->p[0] == '\\')
			in->p++, in->n--;
		if (in->n == 0 || ws_token_length((struct bytes){ in->p, 1 }) == 0)
			return false;
		add_to_value(param, in->p[0]);
		in->p++, in->n--;
	}
	return param->value_len > 0 && field_skip(in, '"');
}

static bool take_value(struct bytes *in, struct param *param)
{
	struct bytes token;

	param->has_value = true;
	if (field_skip(in, '"'))
		return take_quoted(in, param);
	if (!take_token(in, &token))
		return false;
	for (size_t i = 0; i < token.n; i++)
		add_to_value(param, token.p[i]);
	return true;
}

static bool take_param(struct bytes *in, struct extension *e)
{
	struct param unneeded, *param = e->count < PARAMS_MAX ? &e->params[e->count] : &unneeded;

	e->count++;
	*param = (struct param){ 0 };
	if (!take_token(in, &param->name))
		return false;
	return !field_skip(in, '=') || take_value(in, param);
}

/* The next extension of a list; empty elements are skipped. 1, 0 at the end, -EPROTO. */
static int next_extension(struct bytes *in, struct extension *e)
{
	while (field_skip(in, ','))
		;
	if (in->n == 0)
		return 0;
	e->count = 0;
	if (!take_token(in, &e->name))
		return -EPROTO;
	while (field_skip(in, ';'))
		if (!take_param(in, e))
			return -EPROTO;
	field_skip_blanks(in);
	return in->n == 0 || in->p[0] == ',' ? 1 : -EPROTO;
}

/* --- parameters, as one side has sent them -------------------------------------- */

enum { SERVER_NO_CONTEXT = 1, CLIENT_NO_CONTEXT = 2, SERVER_BITS = 4, CLIENT_BITS = 8 };

static const struct {
	struct bytes name;
	unsigned flag;
	bool is_bits;
} known[] = {
	{ BYTES("server_no_context_takeover"), SERVER_NO_CONTEXT, false },
	{ BYTES("client_no_context_takeover"), CLIENT_NO_CONTEXT, false },
	{ BYTES("server_max_window_bits"), SERVER_BITS, true },
	{ BYTES("client_max_window_bits"), CLIENT_BITS, true },
};

struct said {
	unsigned flags;
	uint8_t server_bits, client_bits; /* 0: without a value */
};

/* 8 to 15, without a leading zero; else 0. */
static uint8_t window_bits_of(const struct param *param)
{
	const char *v = param->value;

	if (param->value_len == 1 && (v[0] == '8' || v[0] == '9'))
		return (uint8_t)(v[0] - '0');
	if (param->value_len == 2 && v[0] == '1' && v[1] >= '0' && v[1] <= '5')
		return (uint8_t)(10 + v[1] - '0');
	return 0;
}

/* Only an offer may leave the client's window without a value (section 7.1.2.2). */
static bool value_is_allowed(const struct param *param, unsigned flag, bool is_bits, bool is_offer)
{
	if (!is_bits)
		return !param->has_value;
	if (!param->has_value)
		return flag == CLIENT_BITS && is_offer;
	return window_bits_of(param) != 0;
}

static bool read_param(const struct param *param, bool is_offer, struct said *said)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		unsigned flag = known[i].flag;

		if (!bytes_equal(param->name, known[i].name))
			continue;
		if (said->flags & flag ||
		    !value_is_allowed(param, flag, known[i].is_bits, is_offer))
			return false;
		said->flags |= flag;
		if (flag == SERVER_BITS)
			said->server_bits = window_bits_of(param);
		if (flag == CLIENT_BITS)
			said->client_bits = window_bits_of(param);
		return true;
	}
	return false;
}

/* Whether this is permessage-deflate without a parameter that is unknown, invalid or repeated. */
static bool read_params(const struct extension *e, bool is_offer, struct said *said)
{
	*said = (struct said){ 0 };
	if (!bytes_equal(e->name, NAME) || e->count > PARAMS_MAX)
		return false;
	for (size_t i = 0; i < e->count; i++)
		if (!read_param(&e->params[i], is_offer, said))
			return false;
	return true;
}

/* --- the server --------------------------------------------------------------- */

static uint8_t smaller(uint8_t a, uint8_t b)
{
	return a < b ? a : b;
}

static void answer(const struct said *offer, const struct ws_deflate_config *config,
    struct ws_deflate_params *params)
{
	uint8_t offered_server = offer->server_bits ? offer->server_bits : 15,
	        offered_client = offer->client_bits ? offer->client_bits : 15;

	params->agreed = true;
	params->server_max_window_bits = smaller(offered_server, config->window_bits);
	params->says_server_bits =
	    offer->flags & SERVER_BITS || params->server_max_window_bits < 15;
	params->server_no_context_takeover =
	    offer->flags & SERVER_NO_CONTEXT || !config->context_takeover;
	params->client_no_context_takeover =
	    offer->flags & CLIENT_NO_CONTEXT || !config->context_takeover;
	params->client_max_window_bits = offered_client;
	if (offer->flags & CLIENT_BITS && config->context_takeover)
		params->client_max_window_bits = smaller(offered_client, config->window_bits);
	params->says_client_bits = offer->flags & CLIENT_BITS &&
	                           (offer->client_bits || params->client_max_window_bits < 15);
}

int ws_deflate_negotiate(const struct ws_request *req, const struct ws_deflate_config *config,
    struct ws_deflate_params *params)
{
	struct extension e;
	struct bytes list;
	struct said offer;
	size_t i = 0;
	int more;

	*params = (struct ws_deflate_params){ 0 };
	while (ws_request_next(req, HEADER, &i, &list)) {
		while ((more = next_extension(&list, &e)) > 0)
			if (!params->agreed && config->enabled && read_params(&e, true, &offer))
				answer(&offer, config, params);
		if (more < 0)
			return more;
	}
	return 0;
}

void ws_deflate_response(const struct ws_deflate_params *params, char out[WS_EXTENSIONS_MAX])
{
	int n = snprintf(out, WS_EXTENSIONS_MAX, "permessage-deflate%s%s",
	    params->server_no_context_takeover ? "; server_no_context_takeover" : "",
	    params->client_no_context_takeover ? "; client_no_context_takeover" : "");

	if (params->says_server_bits)
		n += snprintf(out + n, (size_t)(WS_EXTENSIONS_MAX - n),
		    "; server_max_window_bits=%u", params->server_max_window_bits);
	if (params->says_client_bits)
		snprintf(out + n, (size_t)(WS_EXTENSIONS_MAX - n), "; client_max_window_bits=%u",
		    params->client_max_window_bits);
}

/* --- the client --------------------------------------------------------------- */

void ws_deflate_offer(const struct ws_deflate_config *config, char out[WS_EXTENSIONS_MAX])
{
	const char *no_context = config->context_takeover
	                             ? ""
	                             : "; server_no_context_takeover; client_no_context_takeover";

	if (config->context_takeover && config->window_bits < 15)
		snprintf(out, WS_EXTENSIONS_MAX,
		    "permessage-deflate; server_max_window_bits=%u; client_max_window_bits=%u",
		    config->window_bits, config->window_bits);
	else
		snprintf(out, WS_EXTENSIONS_MAX, "permessage-deflate%s; client_max_window_bits",
		    no_context);
}

static bool agrees(const struct said *said, const struct ws_deflate_config *config)
{
	uint8_t ours = config->context_takeover ? config->window_bits : 15;

	if (!config->context_takeover && !(said->flags & SERVER_NO_CONTEXT))
		return false; /* section 7.1.1.1: who accepts has to say so */
	if (ours < 15 && !(said->flags & SERVER_BITS))
		return false;
	return said->server_bits <= ours && said->client_bits <= ours;
}

static void accept_answer(const struct said *said, const struct ws_deflate_config *config,
    struct ws_deflate_params *params)
{
	uint8_t client = said->client_bits ? said->client_bits : 15;

	params->agreed = true;
	params->server_no_context_takeover = said->flags & SERVER_NO_CONTEXT;
	params->server_max_window_bits = said->server_bits ? said->server_bits : 15;
	params->client_max_window_bits = smaller(client, config->window_bits);
	/* Nobody is asked whether we forget */
	params->client_no_context_takeover =
	    said->flags & CLIENT_NO_CONTEXT || !config->context_takeover;
}

int ws_deflate_accept(const struct ws_request *response, const struct ws_deflate_config *config,
    struct ws_deflate_params *params)
{
	struct extension e;
	struct bytes list;
	struct said said;
	size_t i = 0;
	int more;

	*params = (struct ws_deflate_params){ 0 };
	while (ws_request_next(response, HEADER, &i, &list)) {
		while ((more = next_extension(&list, &e)) > 0) {
			if (!config->enabled || params->agreed || !read_params(&e, false, &said) ||
			    !agrees(&said, config))
				return -EPROTO;
			accept_answer(&said, config, params);
		}
		if (more < 0)
			return more;
	}
	return 0;
}
