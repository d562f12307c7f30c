//! Every check there is, and what one look at it found.

use serde::Serialize;

/// What a check is about; the order is that of the output.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Area {
    Secrets,
    Tls,
    Network,
    Access,
    Store,
    Limits,
    Logging,
    Observability,
    Dependencies,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// As it should be.
    Pass,
    /// Decide whether that is meant.
    Warn,
    /// Not fit for production.
    Fail,
    /// Could not be seen, which is never good; what was found says why.
    Skipped,
}

/// Declares the checks: their stable ids and areas.
macro_rules! checks {
    ($($check:ident $id:literal $area:ident;)+) => {
        /// A check, in the order of the output; each run reports each. What they look at:
        /// docs/security-hardening.md.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub(super) enum Check { $($check,)+ }

        impl Check {
            /// Stable name.
            pub(super) fn id(self) -> &'static str {
                match self { $(Self::$check => $id,)+ }
            }

            pub(super) fn area(self) -> Area {
                match self { $(Self::$check => Area::$area,)+ }
            }
        }
    };
}

checks! {
    PlatformKey "platform-key" Secrets;
    ReceiptKey "receipt-key" Secrets;
    ReceiptKeyPublished "receipt-key-published" Secrets;
    SidecarKey "sidecar-key" Secrets;
    SecretsInArguments "secrets-in-arguments" Secrets;
    SecretFiles "secret-files" Secrets;
    ApiTls "api-tls" Tls;
    ApiCertificate "api-certificate" Tls;
    CertificateFiles "certificate-files" Tls;
    DatabaseTls "database-tls" Tls;
    TracesTls "traces-tls" Tls;
    OperationsAddress "operations-address" Network;
    OperationsExposed "operations-exposed" Network;
    CorsOrigins "cors-origins" Network;
    ProofOfPossession "proof-of-possession" Access;
    UnauthenticatedRefused "unauthenticated-refused" Access;
    DatabaseRole "database-role" Access;
    StoreReachable "store-reachable" Store;
    StoreSchema "store-schema" Store;
    StoreDurable "store-durable" Store;
    StoreConnections "store-connections" Store;
    StoreArchive "store-archive" Store;
    StoreSealing "store-sealing" Store;
    DiskFree "disk-free" Store;
    DiskGuard "disk-guard" Store;
    RateLimit "rate-limit" Limits;
    UnknownCredentials "unknown-credentials" Limits;
    TimeLimits "time-limits" Limits;
    MemoryBounds "memory-bounds" Limits;
    OpenFiles "open-files" Limits;
    DrainDelay "drain-delay" Limits;
    LogLevel "log-level" Logging;
    ServerLive "server-live" Observability;
    ServerReady "server-ready" Observability;
    Clocks "clocks" Observability;
    SidecarHealthy "sidecar-healthy" Observability;
    PrometheusScrapes "prometheus-scrapes" Observability;
    PrometheusRules "prometheus-rules" Observability;
    AlertmanagerKnown "alertmanager-known" Observability;
    WatchdogFiring "watchdog-firing" Observability;
    ServerVersion "server-version" Dependencies;
    BuildOrigin "build-origin" Dependencies;
}

/// What one look found.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    #[serde(rename = "id")]
    pub(super) check: Check,
    pub(super) area: Area,
    pub(super) outcome: Outcome,
    /// One sentence.
    pub(super) found: String,
    /// One sentence that names the setting; none when there is nothing to mend.
    pub(super) fix: Option<String>,
}

impl Check {
    pub(super) fn pass(self, found: impl Into<String>) -> Finding {
        self.finding(Outcome::Pass, found.into(), None)
    }

    pub(super) fn warn(self, found: impl Into<String>, fix: impl Into<String>) -> Finding {
        self.finding(Outcome::Warn, found.into(), Some(fix.into()))
    }

    pub(super) fn fail(self, found: impl Into<String>, fix: impl Into<String>) -> Finding {
        self.finding(Outcome::Fail, found.into(), Some(fix.into()))
    }

    pub(super) fn skipped(self, why: impl Into<String>) -> Finding {
        self.finding(Outcome::Skipped, why.into(), None)
    }

    fn finding(self, outcome: Outcome, found: String, fix: Option<String>) -> Finding {
        Finding { check: self, area: self.area(), outcome, found, fix }
    }
}

impl Serialize for Check {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
