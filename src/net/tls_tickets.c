/*
 * net/tls_tickets.c - what the contexts of a listener share, in all threads and one after the
 * other: the keys of session tickets, and counts of handshakes.
 *
 * A key makes tickets for the lifetime of one ticket and reads them for as long again; then it is
 * forgotten, and what was said under its tickets cannot be found out by who takes the machine.
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "net/tls_private.h"

struct tls_shared *tls_shared_new(uint64_t ticket_lifetime_ms)
{
	struct tls_shared *shared = mem_zalloc(sizeof(*shared));

	if (!shared)
		return NULL;
	atomic_init(&shared->refs, 1);
	pthread_mutex_init(&shared->lock, NULL);
	shared->lifetime_ms = ticket_lifetime_ms;
	return shared;
}

struct tls_shared *tls_shared_ref(struct tls_shared *shared)
{
	atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
	return shared;
}

void tls_shared_free(struct tls_shared *shared)
{
	if (!shared || atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel) > 1)
		return;
	pthread_mutex_destroy(&shared->lock);
	OPENSSL_cleanse(&shared->key, sizeof(shared->key));
	OPENSSL_cleanse(&shared->previous, sizeof(shared->previous));
	mem_free(shared);
}

/* --- keys --------------------------------------------------------------- */

static void forget(struct ticket_key *key)
{
	OPENSSL_cleanse(key, sizeof(*key));
}

static void make_key(struct ticket_key *key, uint64_t now)
{
	random_bytes(key->name, sizeof(key->name));
	random_bytes(key->cipher, sizeof(key->cipher));
	random_bytes(key->mac, sizeof(key->mac));
	key->made_at = now ? now : 1;
}

/* What time has made of the keys. */
static void rotate(struct tls_shared *shared, uint64_t now)
{
	struct ticket_key *key = &shared->key, *previous = &shared->previous;

	if (key->made_at && now - key->made_at < shared->lifetime_ms) {
		if (previous->made_at && now - previous->made_at >= 2 * shared->lifetime_ms)
			forget(previous);
		return;
	}
	if (key->made_at && now - key->made_at < 2 * shared->lifetime_ms)
		*previous = *key;
	else
		forget(previous);
	make_key(key, now);
}

/* Copies, so that nothing is computed under the lock. */
static struct ticket_key current_key(struct tls_shared *shared)
{
	struct ticket_key key;

	pthread_mutex_lock(&shared->lock);
	rotate(shared, clock_now());
	key = shared->key;
	pthread_mutex_unlock(&shared->lock);
	return key;
}

/* The one that a ticket names; false: it is unknown. */
static bool find_key(
    struct tls_shared *shared, const unsigned char name[16], struct ticket_key *key, bool *is_old)
{
	bool found;

	pthread_mutex_lock(&shared->lock);
	rotate(shared, clock_now());
	*is_old = memcmp(name, shared->key.name, sizeof(shared->key.name)) != 0;
	*key = *is_old ? shared->previous : shared->key;
	found = key->made_at && memcmp(name, key->name, sizeof(key->name)) == 0;
	pthread_mutex_unlock(&shared->lock);
	return found;
}

/* --- OpenSSL asks ------------------------------------------------------- */

static int use_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params);
}

static int make_ticket(struct tls_shared *shared, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct ticket_key key = current_key(shared);
	int ok;

	memcpy(name, key.name, sizeof(key.name));
	random_bytes(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
	ok = EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv) == 1 &&
	     use_mac(mac, &key) == 1;
	forget(&key);
	return ok ? 1 : -1;
}

/* 2: read, and a new one is due. With TLS 1.3 it always is, so that no ticket is seen twice. */
static int read_ticket(SSL *ssl, struct tls_shared *shared, const unsigned char *name,
    const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct ticket_key key;
	bool is_old;
	int ok;

	if (!find_key(shared, name, &key, &is_old))
		return 0;
	ok = EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv) == 1 &&
	     use_mac(mac, &key) == 1;
	forget(&key);
	if (!ok)
		return -1;
	return is_old || SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int is_new)
{
	struct stream_tls *tls = SSL_get_app_data(ssl);
	struct tls_shared *shared = tls->ctx->shared;

	if (is_new)
		return make_ticket(shared, name, iv, cipher, mac);
	return read_ticket(ssl, shared, name, iv, cipher, mac);
}

void tls_tickets_use(SSL_CTX *ctx, const struct tls_shared *shared)
{
	if (shared->lifetime_ms == 0) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ctx, 0);
		return;
	}
	SSL_CTX_set_timeout(ctx, (long)((shared->lifetime_ms + 999) / 1000));
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}
