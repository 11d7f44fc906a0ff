import Secret
import Transfer

/// A mail server that sends for us.
package struct SMTPAccess: Sendable {
    let server: MailServer
    package let from: MailAddress
    package let to: [MailRecipient]

    init(_ fields: ChannelSecret.Fields) throws(ChannelProblem) {
        var login: MailServer.Login?
        if let user = try fields.optionalText("user") {
            login = MailServer.Login(user: user, password: Secret(Array(try fields.text("password").utf8)))
        } else if try fields.optionalText("password") != nil {
            throw ChannelProblem(.missing, "has a password and no user")
        }
        let url = try fields.text("smtp")
        do { server = try MailServer(url: url, login: login) } catch {
            throw ChannelProblem(.malformed, "has an smtp that is not smtp://host:port or smtps://host:port")
        }
        from = try MailAddress(fields, "from")
        to = try MailRecipient.all(fields)
    }
}
