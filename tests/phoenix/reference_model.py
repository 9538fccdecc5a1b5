"""The Phoenix models by their definition: NumPy, float64, one user and one query at a time.

Written from the specification alone, with the square mask, a plain softmax and loops, so that it
shares no idea with the code under test.
"""

import numpy as np


def ranker_logits(params, config, batch, embeddings):
    """Logits `[B, C, A]` of every user, rows of padded candidates included."""
    return np.stack(
        [_user_logits(params, config, *_one_user(batch, embeddings, b)) for b in _users(batch)]
    )


def user_vectors(params, config, batch, embeddings):
    """Unit vectors `[B, D]` of the user tower."""
    vectors = []
    for b in _users(batch):
        user, rows = _one_user(batch, embeddings, b)
        tokens, mask = _context(params, "phoenix_retrieval_model", config, user, rows)
        out = _trunk(params, config.model, tokens, mask, len(tokens), np.arange(len(tokens)))
        valid = out[mask] if config.user_pooling == "mean" else out[mask][-1:]
        vectors.append(_unit(valid.mean(0) if len(valid) else np.zeros(config.emb_size)))
    return np.stack(vectors)


def candidate_vectors(params, config, embeddings):
    """Unit vectors `[B, C, D]` of the candidate tower."""
    rows = np.concatenate(
        [embeddings.candidate_post_embeddings, embeddings.candidate_author_embeddings], axis=2
    ).astype(np.float64)
    if config.candidate_tower == "mean":
        return _unit(rows.mean(2))
    tower = params["phoenix_retrieval_model/~build_candidate_representation/candidate_tower"]
    x = rows.reshape(*rows.shape[:2], -1) @ tower["candidate_tower_projection_1"]
    return _unit(x / (1 + np.exp(-x)) @ tower["candidate_tower_projection_2"])


def square_mask(num_context, num_candidates, causal=True):
    """Who (row) may attend to whom (column)."""
    size = num_context + num_candidates
    mask = np.zeros((size, size), bool)
    for query in range(size):
        for key in range(size):
            if key < num_context:
                mask[query, key] = query >= num_context or not causal or key <= query
            else:
                mask[query, key] = key == query
    return mask


def _users(batch):
    return range(len(batch.user_hashes))


def _one_user(batch, embeddings, b):
    fields = {k: None if v is None else np.asarray(v)[b] for k, v in batch._asdict().items()}
    rows = {k: np.asarray(v)[b].astype(np.float64) for k, v in vars(embeddings).items()}
    return fields, rows


def _user_logits(params, config, user, rows):
    own = params["phoenix_model"]
    context, context_mask = _context(params, "phoenix_model", config, user, rows)
    candidates = []
    for c in range(len(user["candidate_post_hashes"])):
        parts = [
            rows["candidate_post_embeddings"][c].ravel(),
            rows["candidate_author_embeddings"][c].ravel(),
            _surface(own, user["candidate_product_surface"][c]),
        ]
        token = np.concatenate(parts) @ own["proj_mat_2"]
        if config.has_post_age:
            token = token + _age(own, user["candidate_post_age_minutes"][c])
        for vector in _attributes(own, config.post_attributes, user["candidate_attributes"], c):
            token = token + vector
        candidates.append(token)
    mask = np.concatenate([context_mask, user["candidate_post_hashes"][:, 0] != 0])
    size = len(context)
    positions = np.arange(len(mask))
    if config.model.candidate_positions == "shared":
        valid = np.flatnonzero(context_mask)
        positions[size:] = valid[-1] + 1 if len(valid) else 1
    tokens = np.concatenate([context, np.stack(candidates)])
    out = _trunk(params, config.model, tokens, mask, size, positions)[size:]
    logits = _norm(out, params["phoenix_model/rms_norm"]["scale"]) @ own["unembeddings"]
    if config.has_factorization:
        known_user = rows["user_embeddings"].sum(axis=0) * context_mask[0]
        posts = rows["candidate_post_embeddings"].sum(axis=1)
        posts = posts + rows["candidate_author_embeddings"].sum(axis=1)
        posts = posts * mask[size:, None]
        weights = np.split(own["factor_unembeddings"], 3)
        product = known_user * posts * np.sqrt(config.emb_size)
        logits = logits + known_user @ weights[0] + posts @ weights[1] + product @ weights[2]
    return logits


def _context(params, model, config, user, rows):
    own = params[model]
    token = rows["user_embeddings"].ravel() @ own["proj_mat_1"]
    for vector in _attributes(own, config.user_attributes, [user["user_attributes"]], 0):
        token = token + vector
    tokens = [token]
    for s in range(len(user["history_post_hashes"])):
        actions = user["history_actions"][s].astype(np.float64)
        acted = (2 * actions - 1) @ own["action_projection"] * bool(actions.any())
        posts = rows["history_post_embeddings"][s]
        # The ranker has no choice.
        is_shared = getattr(config, "history_posts", "projected") == "shared"
        parts = [
            posts.ravel() * (not is_shared),
            rows["history_author_embeddings"][s].ravel(),
            acted,
            _surface(own, user["history_product_surface"][s]),
        ]
        token = np.concatenate(parts) @ own["proj_mat_3"]
        if is_shared:
            token = token + np.sqrt(config.emb_size) * posts.sum(axis=0)
        if config.has_post_age:
            token = token + _age(own, user["history_post_age_minutes"][s])
        if config.has_dwell:
            token = token + _dwell(params, model, user["history_dwell_seconds"][s])
        for vector in _attributes(own, config.post_attributes, user["history_attributes"], s):
            token = token + vector
        tokens.append(token)
    mask = [user["user_hashes"][0] != 0, *(user["history_post_hashes"][:, 0] != 0)]
    return np.stack(tokens), np.array(mask)


def _surface(own, index):
    table = own["product_surface_embedding_table"].astype(np.float64)
    return table[index] if 0 <= index < len(table) else np.zeros(table.shape[1])


def _age(own, minutes):
    bucket = 0 if not minutes >= 0 else 81 if minutes >= 4800 else 1 + int(minutes // 60)
    return own["post_age_embedding_table"][bucket]


def _attributes(own, attributes, values, place):
    start = 0
    for attribute in attributes:
        mine = values[place][start : start + attribute.length]
        start += attribute.length
        if attribute.kind == "raw":
            slope, offset = own[f"attribute_{attribute.name}_projection"]
            yield 0.0 if np.isnan(mine[0]) else mine[0] * slope + offset
            continue
        table = own[f"attribute_{attribute.name}_table"]
        if attribute.kind == "sequence":
            rows = [table[int(code)] for code in mine if code != 0]
            yield np.mean(rows, axis=0) if rows else 0.0
        else:
            yield table[int(mine[0])]


def _dwell(params, model, seconds):
    hidden, output = params[f"{model}/dwell_hidden"], params[f"{model}/dwell_output"]
    if not seconds >= 0:
        return 0.0
    return _gelu(min(seconds / 30, 1.0) * hidden["w"][0] + hidden["b"]) @ output["w"] + output["b"]


def _trunk(params, config, h, mask, num_context, positions):
    structure = square_mask(num_context, len(h) - num_context, config.history_attention == "causal")
    visible = structure & mask[None, :]
    for i in range(config.num_layers):
        layer = f"transformer/decoder_layer_{i}"
        scales = [params[f"{layer}/rms_norm{n}"]["scale"] for n in ("", "_1", "_2", "_3")]
        attended = _attention(
            params, f"{layer}/multi_head_attention", config, _norm(h, scales[0]), visible, positions
        )
        h = h + _norm(attended, scales[1])
        x = _norm(h, scales[2])
        gate, value = x @ params[f"{layer}/linear"]["w"], x @ params[f"{layer}/linear_v"]["w"]
        h = h + _norm((_gelu(gate) * value) @ params[f"{layer}/linear_1"]["w"], scales[3])
    return h


def _attention(params, name, config, x, visible, positions):
    heads = {}
    for part in ("query", "key", "value"):
        heads[part] = (x @ params[f"{name}/{part}"]["w"]).reshape(len(x), -1, config.key_size)
    group = config.num_q_heads // config.num_kv_heads
    out = np.zeros((len(x), config.num_q_heads, config.key_size))
    for t in range(len(x)):
        keys = np.flatnonzero(visible[t])
        for head in range(config.num_q_heads if len(keys) else 0):
            query = _turned(heads["query"][t, head], positions[t])
            products = [query @ _turned(heads["key"][s, head // group], positions[s]) for s in keys]
            capped = 30 * np.tanh(np.array(products) * config.attn_output_multiplier / 30)
            weights = np.exp(capped - capped.max())
            out[t, head] = weights / weights.sum() @ heads["value"][keys, head // group]
    return out.reshape(len(x), -1) @ params[f"{name}/linear"]["w"]


def _turned(vector, position):
    half = len(vector) // 2
    angles = position * 10_000.0 ** (-np.arange(half) * 2 / len(vector))
    first, second = vector[:half], vector[half:]
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin])


def _norm(x, scale):
    return scale * x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)


def _unit(x):
    return x / np.sqrt(np.maximum((x**2).sum(-1, keepdims=True), 1e-12))


def _gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
