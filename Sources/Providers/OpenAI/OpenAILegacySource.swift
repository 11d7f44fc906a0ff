package import EventLog
package import FinOps
import JSON
package import Secret
package import Transfer

/// An OpenAI account read through the older, undocumented `GET /v1/usage?date=`: one call a UTC day, no costs. It needs
/// no admin key. Its transport should be slow: about one call in twelve seconds.
package struct OpenAILegacySource: UsageSource {
    /// Requests a second that the endpoint has been seen to bear.
    package static let perSecond: Double = 1.0 / 12

    private let account: String
    private let endpoint: OpenAIEndpoint
    private let secret: Secret
    private let transport: PatientTransport

    package init(account: String, endpoint: OpenAIEndpoint, secret: Secret, transport: PatientTransport) {
        self.account = account
        self.endpoint = endpoint
        self.secret = secret
        self.transport = transport
    }

    /// Of all requests through this source's transport since it was made.
    package var effort: SourceEffort {
        get async {
            let effort = await transport.effort
            return SourceEffort(requests: effort.requests, retries: effort.retries)
        }
    }

    /// One request a day; see `UsageSource`.
    package func usage(of days: ClosedRange<Day>, at now: Timestamp) async throws(SourceFailure) -> SourceAnswer<
        UsageObservation
    > {
        var (rows, covered, notes): ([WireUsageRow], Set<UsageBucket>, [String]) = ([], [], [])
        var rejected: [Day: SourceFailure] = [:]
        var day = days.lowerBound
        while day <= days.upperBound, day.utcStart < now {
            let url = endpoint.url(OpenAIQuestion.legacy.path, [("date", day.description)])
            let answer = try await OpenAIQuestion.legacy.ask(url, secret: secret, over: transport)
            do throws(SourceFailure) {
                let told = try OpenAILegacyDay(account: account, day: day).read(answer)
                rows += told.rows
                covered.formUnion(told.covered)
                notes += told.notes
            } catch {
                rejected[day] = error
            }
            day = day.advanced(by: 1)
        }
        let observation = UsageObservation(
            provider: OpenAIUsageSource.provider, account: account, observed: now, rows: rows, covered: covered)
        return SourceAnswer(observation, notes: notes, rejected: rejected)
    }

    /// nil: this interface tells no costs.
    package func bills(of days: ClosedRange<Day>, at now: Timestamp) async throws(SourceFailure) -> SourceAnswer<
        BillObservation
    >? { nil }
}
