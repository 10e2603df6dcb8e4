/*
 * hostile/chance.h - decisions by chance that come out the same again.
 *
 * Nothing is drawn from a sequence, for then it would matter who comes first. What is drawn depends
 * on the seed, the connection's number, the direction, what it is about and how often that has
 * happened on this connection, and on nothing else. So timing makes no difference.
 */
#ifndef HOSTILE_CHANCE_H
#define HOSTILE_CHANCE_H

#include <stdint.h>

/* A word of 64 bits for this occasion. */
uint64_t chance_draw(
    uint64_t seed, uint64_t connection, unsigned way, uint64_t what, uint64_t which);

#endif
