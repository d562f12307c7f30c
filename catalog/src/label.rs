//! The closed sets of label values.

/// Declares an enum whose variants are the only values of a label.
macro_rules! label_values {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// All values, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// All values as label text, in declaration order.
            pub const VALUES: &'static [&'static str] = &[$($text,)+];

            /// The label text.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                Self::VALUES[self as usize]
            }
        }
    };
}

label_values! {
    /// `category` of `errors_total`: what an error response means for its reader.
    ErrorCategory {
        /// Missing or wrong credential, or not enough rights.
        Auth => "auth",
        /// The caller must change the request.
        Validation => "validation",
        /// The request contradicts what is stored.
        Conflict => "conflict",
        /// The tenant's own limit.
        RateLimit => "rate_limit",
        /// The store failed or is not reachable.
        Database => "database",
        /// The anchoring service failed.
        Anchor => "anchor",
        /// Shed load, time-outs and our own bugs.
        Internal => "internal",
    }
}

label_values! {
    /// `reason` of `auth_failures_total`.
    AuthFailure {
        /// No credential was sent.
        Missing => "missing",
        /// The credential does not have the form of a key.
        Malformed => "malformed",
        /// No such key.
        Unknown => "unknown",
        /// Not looked up: too many unknown ones came from its address.
        Limited => "limited",
        /// The key was revoked.
        Revoked => "revoked",
        /// The key is good but lacks the right.
        Forbidden => "forbidden",
    }
}

label_values! {
    /// `reason` of `requests_shed_total`.
    ShedReason {
        /// Too many events are under way.
        Admission => "admission",
        /// The event queue is full.
        QueueFull => "queue_full",
        /// The memory for request bodies is taken.
        InflightBytes => "inflight_bytes",
        /// Too many live streams are open.
        StreamSubscribers => "stream_subscribers",
        /// Free space is below the floor.
        DiskFull => "disk_full",
    }
}

label_values! {
    /// `outcome` of `signature_verifications_total`.
    VerificationOutcome {
        /// The strict predicate holds.
        Valid => "valid",
        /// It does not.
        Invalid => "invalid",
    }
}

label_values! {
    /// `reason` of `events_rejected_total`: the part of a refusal before its colon.
    RejectReason {
        /// The event id is taken by another event.
        DuplicateEventId => "duplicate_event_id",
        /// The command id is taken.
        DuplicateCommandId => "duplicate_command_id",
        /// The plain payload does not have the stated hash.
        InvalidPayloadHash => "invalid_payload_hash",
        /// The encrypted payload does not have the stated hash.
        InvalidCipherHash => "invalid_cipher_hash",
        /// The agent's signature does not verify.
        InvalidSignature => "invalid_signature",
        /// Not protocol version 1.
        UnsupportedVersion => "unsupported_version",
        /// The agent's key is unknown, revoked, expired or not yet valid.
        AgentKeyInvalid => "agent_key_invalid",
        /// A member is missing or malformed.
        SchemaValidation => "schema_validation",
        /// The entity is at another version.
        VersionConflict => "version_conflict",
    }
}

impl RejectReason {
    /// The value for a refusal code of the protocol.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == code)
    }
}

label_values! {
    /// `operation` of the store metrics. Each belongs to one `table`, see [`DbOperation::table`].
    DbOperation {
        /// One group commit of events.
        CommitEvents => "commit_events",
        /// Events by range or entity.
        ReadEvents => "read_events",
        /// Events by id.
        FindEvents => "find_events",
        /// Head of a stream.
        ReadHead => "read_head",
        /// Signing hashes and signatures of a range, for a tree.
        ReadLeaves => "read_leaves",
        /// Store a sealed batch and its tree.
        WriteCommitment => "write_commitment",
        /// Commitments by id or range.
        ReadCommitments => "read_commitments",
        /// The tree tiles of a proof.
        ReadTiles => "read_tiles",
        /// An agent's signing key.
        ReadAgentKey => "read_agent_key",
        /// Register, rotate or revoke an agent's key.
        WriteAgentKey => "write_agent_key",
        /// An API key by its hash, or a page of them.
        ReadApiKey => "read_api_key",
        /// Create, revoke or touch an API key.
        WriteApiKey => "write_api_key",
        /// Who and what there is, counted for administrators.
        ReadDirectory => "read_directory",
        /// Take or extend a lease of background work.
        HoldLease => "hold_lease",
        /// The cheapest question, asked by readiness.
        Ping => "ping",
    }
}

impl DbOperation {
    /// The table that dominates the operation.
    #[must_use]
    pub fn table(self) -> &'static str {
        match self {
            Self::CommitEvents | Self::ReadEvents | Self::FindEvents | Self::ReadLeaves => "events",
            Self::ReadHead | Self::ReadDirectory | Self::Ping => "streams",
            Self::WriteCommitment | Self::ReadCommitments => "commitments",
            Self::ReadTiles => "tree_tiles",
            Self::HoldLease => "leases",
            Self::ReadAgentKey | Self::WriteAgentKey => "agent_keys",
            Self::ReadApiKey | Self::WriteApiKey => "api_keys",
        }
    }
}

label_values! {
    /// `service` of the circuit breaker metrics: what the process depends on.
    Service {
        /// The store.
        Database => "database",
    }
}

label_values! {
    /// `state` of `circuit_breaker_state`.
    BreakerState {
        /// Calls pass.
        Closed => "closed",
        /// No call passes.
        Open => "open",
        /// Probes pass.
        HalfOpen => "half_open",
    }
}

label_values! {
    /// `outcome` of `circuit_breaker_calls_total`.
    CallOutcome {
        /// Answered in time.
        Success => "success",
        /// Failed, or never answered.
        Failure => "failure",
        /// Answered late, or given up late by its caller.
        Slow => "slow",
        /// Not made.
        Rejected => "rejected",
    }
}

label_values! {
    /// `method` of the request metrics.
    HttpMethod {
        /// GET
        Get => "GET",
        /// POST
        Post => "POST",
        /// DELETE
        Delete => "DELETE",
        /// PUT
        Put => "PUT",
        /// PATCH
        Patch => "PATCH",
        /// HEAD
        Head => "HEAD",
        /// OPTIONS
        Options => "OPTIONS",
        /// Anything else, so that a client cannot make series.
        Other => "other",
    }
}

impl HttpMethod {
    /// The value for a request's method.
    #[must_use]
    pub fn from_text(method: &str) -> Self {
        let known = Self::ALL.iter().copied().find(|known| known.as_str() == method);
        known.unwrap_or(Self::Other)
    }
}

/// `route` of a request that no route serves.
pub const UNMATCHED_ROUTE: &str = "unmatched";
/// Value of a capped label once its cap is reached.
pub const OTHER: &str = "other";

label_values! {
    /// `check` of the sidecar's check families.
    Check {
        /// The sequencer's process answers.
        SequencerLive => "sequencer_live",
        /// The sequencer takes traffic.
        SequencerReady => "sequencer_ready",
        /// The store answers.
        Store => "store",
        /// Room on the disk of the data folder.
        Disk => "disk",
        /// The data folder takes a write.
        DataDirectory => "data_directory",
        /// Descriptors of the sequencer's process.
        FileDescriptors => "file_descriptors",
        /// Memory of its control group, and pressure.
        Memory => "memory",
        /// The clocks of sidecar, sequencer and database.
        Clock => "clock",
        /// How long the certificate is good.
        TlsCertificate => "tls_certificate",
    }
}

label_values! {
    /// `source` of `clock_skew_seconds`.
    ClockSource {
        /// The sequencer's process.
        Sequencer => "sequencer",
        /// The database server.
        Database => "database",
    }
}

label_values! {
    /// `state` of `store_postgres_connections`.
    ConnectionState {
        /// Runs a statement.
        Active => "active",
        /// Waits for its client.
        Idle => "idle",
        /// Waits for its client and holds a transaction open.
        IdleInTransaction => "idle_in_transaction",
        /// Anything else the server knows.
        Other => "other",
    }
}

label_values! {
    /// `outcome` of `canary_attempts_total`.
    CanaryOutcome {
        /// Every step was good.
        Success => "success",
        /// A step failed or did not end in time.
        Failure => "failure",
    }
}

label_values! {
    /// `step` of `canary_duration_seconds`.
    CanaryStep {
        /// From the request to the receipt in hand.
        Post => "post",
        /// Reading the event back.
        ReadBack => "read_back",
        /// From the receipt to a commitment over the event.
        Commitment => "commitment",
        /// Asking for the inclusion proof.
        Proof => "proof",
        /// The whole round.
        Total => "total",
    }
}

label_values! {
    /// `kind` of the witness's violation families; the kinds of the protocol's auditor.
    ViolationKind {
        /// The content does not have the stated hash.
        PayloadHash => "payload_hash",
        /// The agent's signature is bad, or its key was not good then.
        Signature => "signature",
        /// A number is missing.
        Gap => "gap",
        /// A number or an event comes twice.
        Duplicate => "duplicate",
        /// The receipt does not fit or verify.
        Receipt => "receipt",
        /// A commitment's root is not that of its events.
        Root => "root",
        /// A commitment does not follow the one before.
        Chain => "chain",
        /// The head is lower than one seen before.
        Rollback => "rollback",
        /// History has other content than when it was seen before.
        Rewritten => "rewritten",
    }
}

label_values! {
    /// Part of a load test's run.
    LoadStage {
        /// Users or rate rise.
        Ramp => "ramp",
        /// Full load.
        Hold => "hold",
        /// Users or rate fall.
        RampDown => "ramp_down",
        /// The schedule is over; answers are still awaited.
        Drain => "drain",
        /// The log is read back.
        Verify => "verify",
    }
}

label_values! {
    /// How a request of a load test went wrong.
    LoadError {
        /// No connection.
        Connect => "connect",
        /// No TLS session: certificate expired, unknown, or for another name.
        Tls => "tls",
        /// No whole answer in time.
        Timeout => "timeout",
        /// The connection ended before the answer began.
        ConnectionLost => "connection_lost",
        /// The connection ended within the answer.
        HalfAnswer => "half_answer",
        /// 3xx.
        Redirect => "redirect",
        /// 401 or 403.
        Unauthorized => "unauthorized",
        /// 429.
        RateLimited => "rate_limited",
        /// 503.
        Overloaded => "overloaded",
        /// Any other 4xx.
        ClientError => "client_error",
        /// Any other 5xx.
        ServerError => "server_error",
        /// A good status with a body that is not what was asked for.
        BadAnswer => "bad_answer",
        /// An event refused inside a good answer.
        RefusedEvent => "refused_event",
    }
}
