import FinOps

/// What the fold remembers between usage rows, to make no text and look nothing up for a row like an earlier one.
struct UsageCaches {
    var identities = IdentityCache()
    var currencies = LabelCache()
    var priceVersions = LabelCache()
    var reasons = LabelCache()
    var days: BusinessDays
    private var lastTerms: (terms: Terms, number: Int64)?
    private var newest: (account: Int64, observed: Int64, bucketEnd: Int64) = (0, 0, 0)

    init(calendar: BusinessCalendar) { days = BusinessDays(calendar: calendar) }

    mutating func number(of terms: Terms, _ table: TermsTable) throws(ProjectionFailure) -> Int64 {
        if let lastTerms, lastTerms.terms == terms { return lastTerms.number }
        let number = try table.number(of: terms)
        lastTerms = (terms, number)
        return number
    }

    /// Whether it says something about the account's freshness that the row before did not. Rows of a page come from one
    /// fetch, so this is rare.
    mutating func isNewer(account: Int64, observed: Int64, bucketEnd: Int64) -> Bool {
        if newest.account == account, observed <= newest.observed, bucketEnd <= newest.bucketEnd { return false }
        newest = (account, observed, bucketEnd)
        return true
    }
}
