import FinOps
import SwiftProtobuf

/// How collections and programs fared, and what became of secrets.
extension EventSamples {
    static let runs: [FinOpsEvent] = [
        .runStarted(
            .with {
                $0.run = "00000000-0000-7000-8000-000000000001"
                $0.provider = "openai"
                $0.account = "acme"
                $0.kind = "daily"
                $0.fromDay = "2026-11-19"
                $0.toDay = "2026-11-20"
            }),
        .runFinished(
            .with {
                $0.run = "00000000-0000-7000-8000-000000000001"
                $0.provider = "openai"
                $0.account = "acme"
                $0.kind = "daily"
                $0.fromDay = "2026-11-19"
                $0.toDay = "2026-11-20"
                $0.rows = 1_234
                $0.recorded = 1_200
                $0.restated = 34
                $0.requests = 12
                $0.retries = 1
                $0.notes = ["a bucket was missing"]
            }),
        .runFailed(
            .with {
                $0.run = "00000000-0000-7000-8000-000000000001"
                $0.provider = "openai"
                $0.account = "acme"
                $0.kind = "daily"
                $0.fromDay = "2026-11-19"
                $0.toDay = "2026-11-20"
                $0.code = "not-authorised"
                $0.message = "the provider refused the key"
                $0.retriable = true
                $0.keyMask = "sk-admin-…wxyz"
                $0.recorded = 1
                $0.restated = 2
                $0.requests = 3
                $0.retries = 4
            }),
    ]

    static let operations: [FinOpsEvent] = [
        .processingFailed(
            .with {
                $0.stage = "attributor"
                $0.position = 17
                $0.stream = "mapping-openai"
                $0.type = "key.mapped"
                $0.attempts = 3
                $0.error = "unknown project"
            }),
        .processingRetried(
            .with {
                $0.stage = "attributor"
                $0.position = 17
                $0.reason = "the project is there now"
            }),
        .processingSkipped(
            .with {
                $0.stage = "attributor"
                $0.position = 17
                $0.reason = "a typing error"
            }),
        .stageReady(
            .with {
                $0.stage = "projector"
                $0.pid = 4_711
            }),
        .stageExited(
            .with {
                $0.stage = "projector"
                $0.pid = 4_711
                $0.outcome = "signal 9"
                $0.expected = true
            }),
    ]

    static let vault: [FinOpsEvent] = [
        .secretStored(
            .with {
                $0.secretID = "openai-acme"
                $0.purpose = "provider-credential"
                $0.version = 2
                $0.reason = "rotated"
            }),
        .secretRewrapped(
            .with {
                $0.secretID = "openai-acme"
                $0.purpose = "provider-credential"
                $0.version = 2
                $0.wrappedBy = .with {
                    $0.kind = "aws-kms"
                    $0.keyID = "arn:aws:kms:eu-central-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"
                }
                $0.reason = "rotated"
            }),
        .secretRemoved(
            .with {
                $0.secretID = "openai-acme"
                $0.reason = "contract ended"
            }),
        .personForgotten(
            .with {
                $0.personID = "5f2a01c3d4e5f60718293a4b5c6d7e8f"
                $0.reason = "left the company"
            }),
        .secretUsed(
            .with {
                $0.secretID = "openai-acme"
                $0.purpose = "provider-credential"
                $0.version = 2
                $0.stage = "ingest-openai"
                $0.subject = "openai/acme"
            }),
    ]
}
