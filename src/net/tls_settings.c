/*
 * net/tls_settings.c - what a server may choose: the oldest version, ciphers, groups of key
 * exchange, and whose certificates it wants from clients.
 */
#include <openssl/err.h>
#include <string.h>

#include "net/tls_private.h"

#define LIST_MAX_BYTES 1024

/* OpenSSL passes over words of a list that it does not know, as long as it knows one: then a slip
 * of the pen would leave out the cipher that was meant. */
static bool is_cipher(SSL_CTX *ctx, const char *word)
{
	return strchr("!-+@", *word) || SSL_CTX_set_cipher_list(ctx, word) == 1;
}

static int set_ciphers(SSL_CTX *ctx, const char *list, struct tls_trouble *trouble)
{
	static const char never[] = ":!aNULL:!eNULL"; /* who proves, or hides, nothing */
	char text[LIST_MAX_BYTES + sizeof(never)];
	char *rest = text, *word;

	if (strlen(list) > LIST_MAX_BYTES)
		return tls_blame_text(trouble, TLS_CIPHERS, "it is too long");
	strcpy(text, list);
	while ((word = strsep(&rest, ":, ")))
		if (!is_cipher(ctx, word)) {
			snprintf(trouble->why, sizeof(trouble->why),
			    "OpenSSL does not know \"%.60s\"", word);
			trouble->file = TLS_CIPHERS;
			ERR_clear_error();
			return -EINVAL;
		}
	strcpy(text, list);
	strcat(text, never);
	if (SSL_CTX_set_cipher_list(ctx, text) != 1)
		return tls_blame_text(trouble, TLS_CIPHERS, "nothing is left of it");
	return 0;
}

/* Lists of what was revoked may stand in the file beside those who sign. */
static bool has_revocations(SSL_CTX *ctx)
{
	STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));

	for (int i = 0; i < sk_X509_OBJECT_num(all); i++)
		if (X509_OBJECT_get_type(sk_X509_OBJECT_value(all, i)) == X509_LU_CRL)
			return true;
	return false;
}

/* Whoever is in the file is believed, be it a root, one that a root has signed, or a client. */
static void set_rules(SSL_CTX *ctx)
{
	unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;

	if (has_revocations(ctx))
		flags |= X509_V_FLAG_CRL_CHECK;
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), flags);
}

/* Those who may sign are also told to clients, who choose by it what to show. */
static int want_certificates(
    SSL_CTX *ctx, const struct tls_server_options *o, struct tls_trouble *trouble)
{
	int mode = SSL_VERIFY_PEER;
	STACK_OF(X509_NAME) * names;

	if (o->client_certificate == TLS_CLIENT_NONE || !o->client_ca)
		return 0;
	if (o->client_certificate == TLS_CLIENT_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	if (SSL_CTX_load_verify_file(ctx, o->client_ca) != 1)
		return tls_blame(trouble, TLS_CA);
	names = SSL_load_client_CA_file(o->client_ca);
	if (!names)
		return tls_blame(trouble, TLS_CA);
	SSL_CTX_set_client_CA_list(ctx, names);
	set_rules(ctx);
	SSL_CTX_set_verify(ctx, mode, NULL);
	return 0;
}

int tls_settings_apply(
    SSL_CTX *ctx, const struct tls_server_options *o, struct tls_trouble *trouble)
{
	int err;

	if (o->tls13_only && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1)
		return tls_blame_text(trouble, TLS_NOTHING, "OpenSSL has no TLS 1.3");
	if (o->ciphers && (err = set_ciphers(ctx, o->ciphers, trouble)) < 0)
		return err;
	if (o->ciphersuites && SSL_CTX_set_ciphersuites(ctx, o->ciphersuites) != 1)
		return tls_blame_text(
		    trouble, TLS_CIPHERSUITES, "OpenSSL does not know all of them");
	if (o->groups && SSL_CTX_set1_groups_list(ctx, o->groups) != 1)
		return tls_blame_text(trouble, TLS_GROUPS, "OpenSSL does not know all of them");
	return want_certificates(ctx, o, trouble);
}
