/*
 * tests/unit/broker_socket.h - a STOMP broker on loopback that says what the test wants, and nothing by
 * itself; one connection at a time. NUL is written as '@', both ways.
 */
#ifndef TESTS_BROKER_SOCKET_H
#define TESTS_BROKER_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern int peer; /* -1: none */
extern unsigned connections;
extern char heard[1 << 20]; /* of this connection */
extern size_t heard_octets;
extern bool is_deaf; /* it reads nothing */

/* Listens; returns the port. For loop_up(): broker_serve(). */
uint16_t broker_up(void);
void broker_down(void);
void broker_serve(void);
void say(const char *text);
void hang_up(void);
/* Turns until it has heard that. */
void hear(const char *what);

#endif
