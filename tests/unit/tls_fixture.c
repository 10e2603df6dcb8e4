/*
 * tests/unit/tls_fixture.c - clients of an HTTP server under TLS; see tls_fixture.h.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_fixture.h"
#include "tests/certificate.h"
#include "tls_fixture.h"

static char cert_path[] = "/tmp/test_http.cert.XXXXXX";
static char key_path[] = "/tmp/test_http.key.XXXXXX";
struct tls_context *tls_server_context;
static SSL_CTX *client_ctx;

void tls_up(void)
{
	char why[300];

	strcpy(cert_path + strlen(cert_path) - 6, "XXXXXX");
	strcpy(key_path + strlen(key_path) - 6, "XXXXXX");
	close(mkstemp(cert_path));
	close(mkstemp(key_path));
	ck_assert(certificate_write(cert_path, key_path));
	tls_server_context = tls_context_new(cert_path, key_path, why, sizeof(why));
	ck_assert_msg(tls_server_context != NULL, "%s", why);
	client_ctx = SSL_CTX_new(TLS_client_method());
}

void tls_down(void)
{
	SSL_CTX_free(client_ctx);
	tls_context_free(tls_server_context);
	unlink(cert_path);
	unlink(key_path);
}

SSL *tls_client(int *fd)
{
	SSL *ssl = SSL_new(client_ctx);

	*fd = client_new_tls(tls_server_context);
	SSL_set_fd(ssl, *fd);
	SSL_set_connect_state(ssl);
	for (int i = 0; i < 500 && SSL_do_handshake(ssl) != 1; i++)
		ck_assert_int_eq(loop_turn(loop, 1), 0);
	ck_assert(SSL_is_init_finished(ssl));
	return ssl;
}

void tls_say(SSL *ssl, const char *text)
{
	ck_assert_int_eq(SSL_write(ssl, text, (int)strlen(text)), (int)strlen(text));
}

const char *tls_hear(SSL *ssl, const char *what)
{
	static char text[100000];
	size_t n = 0;

	text[0] = '\0';
	for (int i = 0; i < 1000 && !strstr(text, what); i++) {
		int got = SSL_read(ssl, text + n, (int)(sizeof(text) - 1 - n));

		if (got > 0)
			n += (size_t)got;
		else
			ck_assert_int_eq(loop_turn(loop, 1), 0);
		text[n] = '\0';
	}
	ck_assert_msg(strstr(text, what) != NULL, "not heard: \"%s\", but: \"%s\"", what, text);
	return text;
}

void tls_end(SSL *ssl, int fd)
{
	SSL_free(ssl);
	close(fd);
	settle();
}
