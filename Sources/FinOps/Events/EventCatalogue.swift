package import EventLog
package import SwiftProtobuf

/// The one table that ties wire names and schema versions to the enum. Names are written out, so that renaming Swift is free.
package enum EventCatalogue {
    /// One line per type. `decode` reads every schema version ever written (upcasting, where a version needs it, happens here).
    package struct Entry: Sendable {
        package let type: EventType
        /// The newest version there is: what is written. Older ones are read.
        package let schema: UInt16
        /// Throws what Protocol Buffers says of bytes that are no such message.
        package let decode: @Sendable ([UInt8]) throws -> FinOpsEvent
    }

    /// No two of one type: a new schema version replaces the line.
    package static let entries: [Entry] = [
        Entry(type: "usage.recorded", schema: 1) { .usageRecorded(try WireUsageRecorded(serializedBytes: $0)) },
        Entry(type: "usage.restated", schema: 1) { .usageRestated(try WireUsageRestated(serializedBytes: $0)) },
        Entry(type: "usage.repriced", schema: 1) { .usageRepriced(try WireUsageRepriced(serializedBytes: $0)) },
        Entry(type: "model.unpriced", schema: 1) { .modelUnpriced(try WireModelUnpriced(serializedBytes: $0)) },
        Entry(type: "bill.recorded", schema: 1) { .billRecorded(try WireBillRecorded(serializedBytes: $0)) },
        Entry(type: "bill.restated", schema: 1) { .billRestated(try WireBillRestated(serializedBytes: $0)) },
        Entry(type: "bill.allocated", schema: 1) { .billAllocated(try WireBillAllocated(serializedBytes: $0)) },
        Entry(type: "bill.took-force", schema: 1) { .billTookForce(try WireBillTookForce(serializedBytes: $0)) },
        Entry(type: "bill.left-force", schema: 1) { .billLeftForce(try WireBillLeftForce(serializedBytes: $0)) },
        Entry(type: "team.added", schema: 1) { .teamAdded(try WireTeamAdded(serializedBytes: $0)) },
        Entry(type: "project.added", schema: 1) { .projectAdded(try WireProjectAdded(serializedBytes: $0)) },
        Entry(type: "project.moved", schema: 1) { .projectMoved(try WireProjectMoved(serializedBytes: $0)) },
        Entry(type: "connection.made", schema: 1) { .connectionMade(try WireConnectionMade(serializedBytes: $0)) },
        Entry(type: "connection.removed", schema: 1) {
            .connectionRemoved(try WireConnectionRemoved(serializedBytes: $0))
        },
        Entry(type: "key.mapped", schema: 1) { .keyMapped(try WireKeyMapped(serializedBytes: $0)) },
        Entry(type: "provider-project.mapped", schema: 1) {
            .providerProjectMapped(try WireProviderProjectMapped(serializedBytes: $0))
        },
        Entry(type: "attribution.assigned", schema: 1) {
            .attributionAssigned(try WireAttributionAssigned(serializedBytes: $0))
        },
        Entry(type: "price.changed", schema: 1) { .priceChanged(try WirePriceChanged(serializedBytes: $0)) },
        Entry(type: "price.defaults-changed", schema: 1) {
            .priceDefaultsChanged(try WirePriceDefaultsChanged(serializedBytes: $0))
        },
        Entry(type: "price.change-proposed", schema: 1) {
            .priceChangeProposed(try WirePriceChangeProposed(serializedBytes: $0))
        },
        Entry(type: "price.change-approved", schema: 1) {
            .priceChangeApproved(try WirePriceChangeApproved(serializedBytes: $0))
        },
        Entry(type: "price.change-rejected", schema: 1) {
            .priceChangeRejected(try WirePriceChangeRejected(serializedBytes: $0))
        },
        Entry(type: "price.correction-started", schema: 1) {
            .priceCorrectionStarted(try WirePriceCorrectionStarted(serializedBytes: $0))
        },
        Entry(type: "price.correction-advanced", schema: 1) {
            .priceCorrectionAdvanced(try WirePriceCorrectionAdvanced(serializedBytes: $0))
        },
        Entry(type: "run.started", schema: 1) { .runStarted(try WireRunStarted(serializedBytes: $0)) },
        Entry(type: "run.finished", schema: 1) { .runFinished(try WireRunFinished(serializedBytes: $0)) },
        Entry(type: "run.failed", schema: 1) { .runFailed(try WireRunFailed(serializedBytes: $0)) },
        Entry(type: "processing.failed", schema: 1) {
            .processingFailed(try WireProcessingFailed(serializedBytes: $0))
        },
        Entry(type: "processing.retried", schema: 1) {
            .processingRetried(try WireProcessingRetried(serializedBytes: $0))
        },
        Entry(type: "processing.skipped", schema: 1) {
            .processingSkipped(try WireProcessingSkipped(serializedBytes: $0))
        },
        Entry(type: "stage.ready", schema: 1) { .stageReady(try WireStageReady(serializedBytes: $0)) },
        Entry(type: "stage.exited", schema: 1) { .stageExited(try WireStageExited(serializedBytes: $0)) },
        Entry(type: "secret.stored", schema: 1) { .secretStored(try WireSecretStored(serializedBytes: $0)) },
        Entry(type: "secret.rewrapped", schema: 1) { .secretRewrapped(try WireSecretRewrapped(serializedBytes: $0)) },
        Entry(type: "secret.removed", schema: 1) { .secretRemoved(try WireSecretRemoved(serializedBytes: $0)) },
        Entry(type: "person.forgotten", schema: 1) { .personForgotten(try WirePersonForgotten(serializedBytes: $0)) },
        Entry(type: "secret.used", schema: 1) { .secretUsed(try WireSecretUsed(serializedBytes: $0)) },
        Entry(type: "threshold.set", schema: 1) { .thresholdSet(try WireThresholdSet(serializedBytes: $0)) },
        Entry(type: "threshold.removed", schema: 1) {
            .thresholdRemoved(try WireThresholdRemoved(serializedBytes: $0))
        },
        Entry(type: "threshold.crossed", schema: 1) {
            .thresholdCrossed(try WireThresholdCrossed(serializedBytes: $0))
        },
        Entry(type: "threshold.cleared", schema: 1) {
            .thresholdCleared(try WireThresholdCleared(serializedBytes: $0))
        },
        Entry(type: "alert.acknowledged", schema: 1) {
            .alertAcknowledged(try WireAlertAcknowledged(serializedBytes: $0))
        },
        Entry(type: "alert.snoozed", schema: 1) { .alertSnoozed(try WireAlertSnoozed(serializedBytes: $0)) },
        Entry(type: "condition.raised", schema: 1) { .conditionRaised(try WireConditionRaised(serializedBytes: $0)) },
        Entry(type: "condition.ended", schema: 1) { .conditionEnded(try WireConditionEnded(serializedBytes: $0)) },
        Entry(type: "channel.set", schema: 1) { .channelSet(try WireChannelSet(serializedBytes: $0)) },
        Entry(type: "channel.removed", schema: 1) { .channelRemoved(try WireChannelRemoved(serializedBytes: $0)) },
        Entry(type: "channel.schedule-set", schema: 1) {
            .channelScheduleSet(try WireChannelScheduleSet(serializedBytes: $0))
        },
        Entry(type: "notification.queued", schema: 1) {
            .notificationQueued(try WireNotificationQueued(serializedBytes: $0))
        },
        Entry(type: "notification.started", schema: 1) {
            .notificationStarted(try WireNotificationStarted(serializedBytes: $0))
        },
        Entry(type: "notification.delivered", schema: 1) {
            .notificationDelivered(try WireNotificationDelivered(serializedBytes: $0))
        },
        Entry(type: "notification.failed", schema: 1) {
            .notificationFailed(try WireNotificationFailed(serializedBytes: $0))
        },
        Entry(type: "notification.abandoned", schema: 1) {
            .notificationAbandoned(try WireNotificationAbandoned(serializedBytes: $0))
        },
        Entry(type: "notification.retried", schema: 1) {
            .notificationRetried(try WireNotificationRetried(serializedBytes: $0))
        },
        Entry(type: "notification.skipped", schema: 1) {
            .notificationSkipped(try WireNotificationSkipped(serializedBytes: $0))
        },
        Entry(type: "notification.dropped", schema: 1) {
            .notificationDropped(try WireNotificationDropped(serializedBytes: $0))
        },
        Entry(type: "upstream.set", schema: 1) { .upstreamSet(try WireUpstreamSet(serializedBytes: $0)) },
        Entry(type: "upstream.removed", schema: 1) { .upstreamRemoved(try WireUpstreamRemoved(serializedBytes: $0)) },
        Entry(type: "key.issued", schema: 1) { .keyIssued(try WireKeyIssued(serializedBytes: $0)) },
        Entry(type: "key.rotated", schema: 1) { .keyRotated(try WireKeyRotated(serializedBytes: $0)) },
        Entry(type: "key.disabled", schema: 1) { .keyDisabled(try WireKeyDisabled(serializedBytes: $0)) },
        Entry(type: "key.reactivation-requested", schema: 1) {
            .keyReactivationRequested(try WireKeyReactivationRequested(serializedBytes: $0))
        },
        Entry(type: "key.reactivated", schema: 1) { .keyReactivated(try WireKeyReactivated(serializedBytes: $0)) },
        Entry(type: "key.disablement-enforced", schema: 1) {
            .keyDisablementEnforced(try WireKeyDisablementEnforced(serializedBytes: $0))
        },
        Entry(type: "call.recorded", schema: 1) { .callRecorded(try WireCallRecorded(serializedBytes: $0)) },
        Entry(type: "call.repriced", schema: 1) { .callRepriced(try WireCallRepriced(serializedBytes: $0)) },
        Entry(type: "budget.leased", schema: 1) { .budgetLeased(try WireBudgetLeased(serializedBytes: $0)) },
        Entry(type: "key.pace-joined", schema: 1) { .keyPaceJoined(try WireKeyPaceJoined(serializedBytes: $0)) },
        Entry(type: "key.pace-given", schema: 1) { .keyPaceGiven(try WireKeyPaceGiven(serializedBytes: $0)) },
        Entry(type: "provision.started", schema: 1) {
            .provisionStarted(try WireProvisionStarted(serializedBytes: $0))
        },
        Entry(type: "provision.project-made", schema: 1) {
            .provisionProjectMade(try WireProvisionProjectMade(serializedBytes: $0))
        },
        Entry(type: "provision.account-made", schema: 1) {
            .provisionAccountMade(try WireProvisionAccountMade(serializedBytes: $0))
        },
        Entry(type: "provision.account-deleted", schema: 1) {
            .provisionAccountDeleted(try WireProvisionAccountDeleted(serializedBytes: $0))
        },
        Entry(type: "provision.withdrawal-started", schema: 1) {
            .provisionWithdrawalStarted(try WireProvisionWithdrawalStarted(serializedBytes: $0))
        },
        Entry(type: "provision.withdrawn", schema: 1) {
            .provisionWithdrawn(try WireProvisionWithdrawn(serializedBytes: $0))
        },
        Entry(type: "key.emergency-step-started", schema: 1) {
            .keyEmergencyStepStarted(try WireKeyEmergencyStepStarted(serializedBytes: $0))
        },
        Entry(type: "key.emergency-step-ended", schema: 1) {
            .keyEmergencyStepEnded(try WireKeyEmergencyStepEnded(serializedBytes: $0))
        },
    ]

    /// The life of the stages, which no figure depends on.
    package static let stageLife: Set<EventType> = ["stage.ready", "stage.exited"]

    /// What a notifier says about its messages by itself: no figure and no administration depends on it.
    package static let deliveries: Set<EventType> = [
        "notification.queued", "notification.started", "notification.delivered", "notification.failed",
        "notification.abandoned", "notification.dropped",
    ]

    /// What the log accepts.
    package static let knownTypes = Set(entries.map(\.type))

    private static let byType = Dictionary(uniqueKeysWithValues: entries.map { ($0.type, $0) })

    /// - Returns: nil for a type or schema this program does not know: it is kept and reported, not guessed at.
    /// - Throws: `UndecodableEvent` if the payload is not what its type says.
    package static func decode(_ event: NewEvent) throws(UndecodableEvent) -> FinOpsEvent? {
        guard let entry = byType[event.type], event.schema <= entry.schema else { return nil }
        do { return try entry.decode(event.payload) } catch {
            throw UndecodableEvent(type: event.type, schema: event.schema, reason: "\(error)")
        }
    }
}

/// A payload that is not what its type says.
package struct UndecodableEvent: Error, Hashable, Sendable, CustomStringConvertible {
    package let type: EventType
    package let schema: UInt16
    package let reason: String

    package var description: String { "the payload is no \(type) of schema \(schema): \(reason)" }
}

extension FinOpsEvent {
    /// The wire name.
    package var type: EventType {
        switch self {
        case .usageRecorded: "usage.recorded"
        case .usageRestated: "usage.restated"
        case .usageRepriced: "usage.repriced"
        case .modelUnpriced: "model.unpriced"
        case .billRecorded: "bill.recorded"
        case .billRestated: "bill.restated"
        case .billAllocated: "bill.allocated"
        case .billTookForce: "bill.took-force"
        case .billLeftForce: "bill.left-force"
        case .teamAdded: "team.added"
        case .projectAdded: "project.added"
        case .projectMoved: "project.moved"
        case .connectionMade: "connection.made"
        case .connectionRemoved: "connection.removed"
        case .keyMapped: "key.mapped"
        case .providerProjectMapped: "provider-project.mapped"
        case .attributionAssigned: "attribution.assigned"
        case .priceChanged: "price.changed"
        case .priceDefaultsChanged: "price.defaults-changed"
        case .priceChangeProposed: "price.change-proposed"
        case .priceChangeApproved: "price.change-approved"
        case .priceChangeRejected: "price.change-rejected"
        case .priceCorrectionStarted: "price.correction-started"
        case .priceCorrectionAdvanced: "price.correction-advanced"
        case .runStarted: "run.started"
        case .runFinished: "run.finished"
        case .runFailed: "run.failed"
        case .processingFailed: "processing.failed"
        case .processingRetried: "processing.retried"
        case .processingSkipped: "processing.skipped"
        case .stageReady: "stage.ready"
        case .stageExited: "stage.exited"
        case .secretStored: "secret.stored"
        case .secretRewrapped: "secret.rewrapped"
        case .secretRemoved: "secret.removed"
        case .personForgotten: "person.forgotten"
        case .secretUsed: "secret.used"
        case .thresholdSet: "threshold.set"
        case .thresholdRemoved: "threshold.removed"
        case .thresholdCrossed: "threshold.crossed"
        case .thresholdCleared: "threshold.cleared"
        case .alertAcknowledged: "alert.acknowledged"
        case .alertSnoozed: "alert.snoozed"
        case .conditionRaised: "condition.raised"
        case .conditionEnded: "condition.ended"
        case .channelSet: "channel.set"
        case .channelRemoved: "channel.removed"
        case .channelScheduleSet: "channel.schedule-set"
        case .notificationQueued: "notification.queued"
        case .notificationStarted: "notification.started"
        case .notificationDelivered: "notification.delivered"
        case .notificationFailed: "notification.failed"
        case .notificationAbandoned: "notification.abandoned"
        case .notificationRetried: "notification.retried"
        case .notificationSkipped: "notification.skipped"
        case .notificationDropped: "notification.dropped"
        case .upstreamSet: "upstream.set"
        case .upstreamRemoved: "upstream.removed"
        case .keyIssued: "key.issued"
        case .keyRotated: "key.rotated"
        case .keyDisabled: "key.disabled"
        case .keyReactivationRequested: "key.reactivation-requested"
        case .keyReactivated: "key.reactivated"
        case .keyDisablementEnforced: "key.disablement-enforced"
        case .callRecorded: "call.recorded"
        case .callRepriced: "call.repriced"
        case .budgetLeased: "budget.leased"
        case .keyPaceJoined: "key.pace-joined"
        case .keyPaceGiven: "key.pace-given"
        case .provisionStarted: "provision.started"
        case .provisionProjectMade: "provision.project-made"
        case .provisionAccountMade: "provision.account-made"
        case .provisionAccountDeleted: "provision.account-deleted"
        case .provisionWithdrawalStarted: "provision.withdrawal-started"
        case .provisionWithdrawn: "provision.withdrawn"
        case .keyEmergencyStepStarted: "key.emergency-step-started"
        case .keyEmergencyStepEnded: "key.emergency-step-ended"
        }
    }

    /// The Protocol Buffers message inside.
    package var message: any Message {
        switch self {
        case .usageRecorded(let message): message
        case .usageRestated(let message): message
        case .usageRepriced(let message): message
        case .modelUnpriced(let message): message
        case .billRecorded(let message): message
        case .billRestated(let message): message
        case .billAllocated(let message): message
        case .billTookForce(let message): message
        case .billLeftForce(let message): message
        case .teamAdded(let message): message
        case .projectAdded(let message): message
        case .projectMoved(let message): message
        case .connectionMade(let message): message
        case .connectionRemoved(let message): message
        case .keyMapped(let message): message
        case .providerProjectMapped(let message): message
        case .attributionAssigned(let message): message
        case .priceChanged(let message): message
        case .priceDefaultsChanged(let message): message
        case .priceChangeProposed(let message): message
        case .priceChangeApproved(let message): message
        case .priceChangeRejected(let message): message
        case .priceCorrectionStarted(let message): message
        case .priceCorrectionAdvanced(let message): message
        case .runStarted(let message): message
        case .runFinished(let message): message
        case .runFailed(let message): message
        case .processingFailed(let message): message
        case .processingRetried(let message): message
        case .processingSkipped(let message): message
        case .stageReady(let message): message
        case .stageExited(let message): message
        case .secretStored(let message): message
        case .secretRewrapped(let message): message
        case .secretRemoved(let message): message
        case .personForgotten(let message): message
        case .secretUsed(let message): message
        case .thresholdSet(let message): message
        case .thresholdRemoved(let message): message
        case .thresholdCrossed(let message): message
        case .thresholdCleared(let message): message
        case .alertAcknowledged(let message): message
        case .alertSnoozed(let message): message
        case .conditionRaised(let message): message
        case .conditionEnded(let message): message
        case .channelSet(let message): message
        case .channelRemoved(let message): message
        case .channelScheduleSet(let message): message
        case .notificationQueued(let message): message
        case .notificationStarted(let message): message
        case .notificationDelivered(let message): message
        case .notificationFailed(let message): message
        case .notificationAbandoned(let message): message
        case .notificationRetried(let message): message
        case .notificationSkipped(let message): message
        case .notificationDropped(let message): message
        case .upstreamSet(let message): message
        case .upstreamRemoved(let message): message
        case .keyIssued(let message): message
        case .keyRotated(let message): message
        case .keyDisabled(let message): message
        case .keyReactivationRequested(let message): message
        case .keyReactivated(let message): message
        case .keyDisablementEnforced(let message): message
        case .callRecorded(let message): message
        case .callRepriced(let message): message
        case .budgetLeased(let message): message
        case .keyPaceJoined(let message): message
        case .keyPaceGiven(let message): message
        case .provisionStarted(let message): message
        case .provisionProjectMade(let message): message
        case .provisionAccountMade(let message): message
        case .provisionAccountDeleted(let message): message
        case .provisionWithdrawalStarted(let message): message
        case .provisionWithdrawn(let message): message
        case .keyEmergencyStepStarted(let message): message
        case .keyEmergencyStepEnded(let message): message
        }
    }

    /// The event as the log takes it.
    package func newEvent(
        id: EventID, occurred: Timestamp, causation: EventID? = nil, correlation: EventID? = nil, actor: String = ""
    ) -> NewEvent {
        NewEvent(
            id: id, type: type, occurred: occurred, causation: causation, correlation: correlation, actor: actor,
            payload: payload)
    }

    /// Its own bytes, as `EventCatalogue.decode` reads them. Serialising fails only for required fields left out, and proto3
    /// has none.
    package var payload: [UInt8] {
        do { return try message.serializedBytes() } catch {
            preconditionFailure("a proto3 message serialises: \(error)")
        }
    }
}
